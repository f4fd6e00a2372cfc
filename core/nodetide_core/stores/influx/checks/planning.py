"""From what is wanted and what is there to what has to be done.  Pure; a plan is data, and holds no secret that it
shows.

Planning again after the plan was carried out gives nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from nodetide_core.errors import StoreRejected
from nodetide_core.stores.influx.checks.changes import (
    Change,
    Delete,
    DeleteEndpoint,
    PutCheck,
    PutEndpoint,
    PutRule,
    notes_of_check,
    rule_body,
)
from nodetide_core.stores.influx.checks.marking import Mark, read_mark, read_notes
from nodetide_core.stores.influx.checks.observed import Observed, SeenEndpoint, SeenRule
from nodetide_core.stores.influx.checks.sealing import Sealer
from nodetide_core.stores.influx.checks.wanted import Check, Endpoint, Rule, Wanted

__all__ = ["plan", "sweep"]


def plan(wanted: Wanted, observed: Observed, sealer: Sealer) -> tuple[Change, ...]:
    """What to do for one policy, in order.  What has the right name and is nobody's is adopted.

    Raises:
        StoreRejected: a name is taken by what another policy or installation keeps.
    """
    return tuple(_Plan(wanted, observed, sealer).changes())


def sweep(gone: Callable[[Mark], bool], observed: Observed) -> tuple[Change, ...]:
    """Ends what is there for nobody."""
    found: list[Change] = [
        Delete("notification rule", seen.id, seen.name) for seen in observed.rules if _is(gone, seen.description)
    ]
    found += [_end(seen) for seen in observed.endpoints if _is(gone, seen.description)]
    found += [Delete("check", seen.id, seen.name) for seen in observed.checks if _is(gone, seen.description)]
    return tuple(found)


class _Plan:
    def __init__(self, wanted: Wanted, observed: Observed, sealer: Sealer) -> None:
        self._wanted = wanted
        self._sealer = sealer
        self._mark = wanted.mark
        self._checks = {seen.name: seen for seen in observed.checks}
        self._endpoints = {seen.name: seen for seen in observed.endpoints}
        self._observed = observed

    def changes(self) -> Iterator[Change]:
        rules = {name: list(found) for name, found in self._rules_by_name().items()}
        names = {rule.name for rule in self._wanted.rules}
        for name, found in rules.items():
            for seen in found[1:] if name in names else found:
                yield Delete("notification rule", seen.id, seen.name)
        for check in self._wanted.checks:
            yield from self._check(check)
        changed = set()
        for endpoint in self._wanted.endpoints:
            for change in self._endpoint(endpoint, rules):
                changed.add(endpoint.name)
                yield change
        for rule in self._wanted.rules:
            yield from self._rule(rule, rules, changed)
        yield from self._strays()

    def _check(self, check: Check) -> Iterator[Change]:
        seen = self._checks.get(check.name)
        if seen is None:
            yield PutCheck(self._mark, check)
            return
        self._refuse_foreign(f"check {check.name}", seen.description)
        same = read_mark(seen.description) == self._mark
        if not (same and seen.active and read_notes(seen.description) == notes_of_check(check, seen.text)):
            yield PutCheck(self._mark, check, seen.id)

    def _endpoint(self, endpoint: Endpoint, rules: Mapping[str, Sequence[SeenRule]]) -> Iterator[Change]:
        seen = self._endpoints.get(endpoint.name)
        if seen is None:
            yield PutEndpoint(self._mark, endpoint)
            return
        self._refuse_foreign(f"notification endpoint {endpoint.name}", seen.description)
        # A secret that was changed by hand shows in nothing else.
        since = {
            read_notes(rule.description).get("endpoint")
            for wanted in self._wanted.rules
            if wanted.endpoint == endpoint.name
            for rule in rules.get(wanted.name, ())[:1]
            if rule.endpoint_id == seen.id
        }
        same = (
            read_mark(seen.description) == self._mark
            and seen.active
            and all(seen.settings.get(name) == text for name, text in endpoint.settings.items())
            and self._sealed(endpoint, read_notes(seen.description).get("seal"))
            and since <= {seen.updated}
        )
        if not same:
            yield PutEndpoint(self._mark, endpoint, seen.id)

    def _sealed(self, endpoint: Endpoint, seal: str | None) -> bool:
        if endpoint.secret is None or seal is None:
            return endpoint.secret is None and seal is None
        return self._sealer.holds(seal, endpoint.secret)

    def _rule(self, rule: Rule, rules: Mapping[str, Sequence[SeenRule]], changed: set[str]) -> Iterator[Change]:
        endpoint = self._endpoints.get(rule.endpoint)
        if endpoint is None and rule.endpoint not in changed:
            return  # its receiver is in trouble
        found = rules.get(rule.name, ())
        if not found:
            yield PutRule(self._mark, rule)
            return
        seen = found[0]
        same = (
            endpoint is not None
            and rule.endpoint not in changed
            and seen.endpoint_id == endpoint.id
            and read_mark(seen.description) == self._mark
            and seen.active
            and read_notes(seen.description) == {"endpoint": endpoint.updated}
            and _canonical(seen.body) == _canonical(rule_body(rule))
        )
        if not same:
            yield PutRule(self._mark, rule, seen.id)

    def _strays(self) -> Iterator[Change]:
        """What is this policy's no more, after what is."""
        endpoints = {item.name for item in self._wanted.endpoints} | self._wanted.held
        for endpoint in self._observed.endpoints:
            if endpoint.name not in endpoints and self._mine(endpoint.description):
                yield _end(endpoint)
        checks = {item.name for item in self._wanted.checks} | self._wanted.held
        for check in self._observed.checks:
            if check.name not in checks and self._mine(check.description):
                yield Delete("check", check.id, check.name)

    def _rules_by_name(self) -> dict[str, list[SeenRule]]:
        """Their names are not unique."""
        names = {rule.name for rule in self._wanted.rules}
        found: dict[str, list[SeenRule]] = {}
        for seen in self._observed.rules:
            if self._mine(seen.description) or (seen.name in names and read_mark(seen.description) is None):
                found.setdefault(seen.name, []).append(seen)
        return found

    def _mine(self, description: str) -> bool:
        mark = read_mark(description)
        return mark is not None and mark.bucket == self._mark.bucket and mark.owner in ("", self._mark.owner)

    def _refuse_foreign(self, what: str, description: str) -> None:
        mark = read_mark(description)
        if mark is not None and not self._mine(description):
            whose = f" of {mark.owner}" if mark.owner else ""
            raise StoreRejected(f"the {what} belongs to the stream of the bucket {mark.bucket}{whose}")


def _is(gone: Callable[[Mark], bool], description: str) -> bool:
    mark = read_mark(description)
    return mark is not None and gone(mark)


def _end(endpoint: SeenEndpoint) -> DeleteEndpoint:
    prefix = "secret: "
    keys = [text[len(prefix) :] for text in endpoint.settings.values() if text.startswith(prefix)]
    # Others, of which somebody wrote the names in by hand, are not this endpoint's.
    return DeleteEndpoint(endpoint.id, endpoint.name, tuple(key for key in keys if key.startswith(endpoint.id)))


def _canonical(body: Mapping[str, object]) -> str:
    return json.dumps(body, sort_keys=True)
