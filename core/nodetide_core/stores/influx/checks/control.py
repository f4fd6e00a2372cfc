"""Observing and changing InfluxDB's checks, notification endpoints and rules. Small JSON calls, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from nodetide_core.errors import StoreError, StoreRejected, StoreUnavailable
from nodetide_core.stores.influx.caller import Caller
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
from nodetide_core.stores.influx.checks.marking import describe, read_mark
from nodetide_core.stores.influx.checks.observed import Observed, SeenCheck, SeenEndpoint, SeenRule
from nodetide_core.stores.influx.checks.scripts import Script, read_script
from nodetide_core.stores.influx.checks.sealing import Sealer
from nodetide_core.stores.influx.flux_reads import FluxWrong, reads_of
from nodetide_core.stores.influx.users_flux import flux_tree

__all__ = ["ChecksControl"]

#: Most that InfluxDB gives at once.
_PAGE = 100
_CHECKS, _ENDPOINTS, _RULES = "checks", "notificationEndpoints", "notificationRules"
#: How often InfluxDB's layout of a text is looked at before it is taken to change for ever.
_LAYOUTS = 4
_PATHS = {"check": _CHECKS, "notification rule": _RULES}


class ChecksControl:
    """Belongs to one thread.

    Args:
        organization: gives the organization's id.
    """

    def __init__(self, caller: Caller, organization: Callable[[], str], sealer: Sealer) -> None:
        self._caller = caller
        self._organization = organization
        self._sealer = sealer
        self._endpoints: dict[str, SeenEndpoint] = {}

    def observe(self) -> Observed:
        """
        Raises:
            StoreUnavailable: InfluxDB does not answer, or not with this token; it leaves out what a token may not
                read, and says nothing.
        """
        endpoints = sorted((_seen_endpoint(item) for item in self._pages(_ENDPOINTS)), key=lambda seen: seen.id)
        self._endpoints = {seen.name: seen for seen in endpoints}
        checks = [_seen_check(item, self._failure(item)) for item in self._pages(_CHECKS)]
        rules = [_seen_rule(item, self._failure(item)) for item in self._pages(_RULES)]
        return Observed(sorted(checks, key=lambda seen: seen.id), endpoints, sorted(rules, key=lambda seen: seen.id))

    def script(self, text: str) -> Script:
        """Flux of users, taken apart.

        Raises:
            FluxForbidden: it may do something else than read and calculate.
            StoreRejected: it is not Flux, or cannot be a check's; with line and column.
            StoreUnavailable
        """
        try:
            tree = flux_tree(self._caller, text)
            reads = reads_of(tree)
        except FluxWrong as wrong:
            raise type(wrong)(f"flux: {wrong}") from None
        return replace(read_script(tree), reads=reads)

    def apply(self, changes: Iterable[Change]) -> None:
        """Carry out a plan made of what was observed last; where it fails, planning again gives the rest.

        Raises:
            StoreRejected: InfluxDB refuses it.
            StoreUnavailable: it does not answer, or the token may not do this.
        """
        for change in changes:
            if isinstance(change, PutCheck):
                self._put_check(change)
            elif isinstance(change, PutEndpoint):
                self._put_endpoint(change)
            elif isinstance(change, PutRule):
                self._put_rule(change)
            elif isinstance(change, Delete):
                self._call("DELETE", _PATHS[change.kind], change.id, doing=change)
            else:
                self._end(change)

    def _failure(self, item: dict[str, Any]) -> str:
        """Why the last run failed; empty where it did not.  What InfluxDB says of it first is no more than that."""
        if item.get("lastRunStatus") != "failed" or read_mark(item.get("description", "")) is None:
            return ""
        try:
            runs = self._caller.call("GET", f"/api/v2/tasks/{item['taskID']}/runs?limit=1")["runs"]
            said = [str(line["message"]) for line in runs[0]["log"]]
        except (StoreError, LookupError, TypeError):
            said = []
        told = [text for text in said if not text.startswith(("Started task", "Completed("))]
        return " ".join(told[-1].split()) if told else str(item.get("lastRunError") or "the last run failed")

    def _put_check(self, change: PutCheck) -> None:
        check = change.check
        query = {"text": check.text, "editMode": "advanced"}
        body = {"type": "custom", "name": check.name, "status": "active", "query": query}
        found = self._put(_CHECKS, change.id, {**body, "description": describe(change.mark)}, change)
        # What InfluxDB makes of the text is known only now, and it may lay it out anew with each change; without these
        # notes it is made once more.
        for _ in range(_LAYOUTS):
            stored = found["query"]["text"]
            told = {"description": describe(change.mark, **notes_of_check(check, stored))}
            found = self._call("PATCH", _CHECKS, str(found["id"]), told, doing=change)
            if found["query"]["text"] == stored:
                break

    def _put_endpoint(self, change: PutEndpoint) -> None:
        endpoint = change.endpoint
        notes, secret = {}, {}
        if endpoint.secret is not None:
            notes = {"seal": self._sealer.seal(endpoint.secret)}
            secret = {endpoint.field: endpoint.secret.text}
        description = describe(change.mark, **notes)
        body = {**endpoint.settings, **secret, "name": endpoint.name, "description": description, "status": "active"}
        found = self._put(_ENDPOINTS, change.id, body, change)
        self._endpoints[endpoint.name] = _seen_endpoint(found)
        self._see(_ENDPOINTS, change.id, str(found["id"]), change)

    def _put_rule(self, change: PutRule) -> None:
        endpoint = self._endpoints.get(change.rule.endpoint)
        if endpoint is None:
            raise StoreRejected(f"{change}: there is no notification endpoint {change.rule.endpoint}")
        description = describe(change.mark, endpoint=endpoint.updated)
        body = {**rule_body(change.rule), "name": change.rule.name, "description": description, "status": "active"}
        found = self._put(_RULES, change.id, {**body, "endpointID": endpoint.id}, change)
        self._see(_RULES, change.id, str(found["id"]), change)

    def _see(self, kind: str, before: str, id: str, change: Change) -> None:
        """To a token that may write and not read, InfluxDB shows none of its kind, and lets it make ever more rules."""
        if before:
            return
        try:
            self._call("GET", kind, id, doing=f"see what was made ({change})")
        except StoreError:
            if kind == _RULES:  # others have names of their own, and cannot be deleted by who may not read them
                self._call("DELETE", kind, id, doing=f"take back: {change}")
            raise

    def _end(self, change: DeleteEndpoint) -> None:
        if change.secrets:
            # First, for without it nothing tells of them.
            path = f"/api/v2/orgs/{self._organization()}/secrets/delete"
            self._caller.call("POST", path, {"secrets": list(change.secrets)}, doing=f"{change}: its secrets")
        self._call("DELETE", _ENDPOINTS, change.id, doing=change)

    def _put(self, kind: str, id: str, body: dict[str, Any], change: Change) -> dict[str, Any]:
        whole = {"orgID": self._organization(), **body}
        try:
            found = self._call("PUT" if id else "POST", kind, id, whole, doing=change)
        except StoreRejected as error:
            if id or "not unique" not in str(error):
                raise
            raise StoreRejected(f"{error}; it was made meanwhile, or the token may not read {kind}") from None
        if not isinstance(found, dict):
            raise StoreUnavailable(f"{change}: what answers is not InfluxDB: check INFLUXDB_URL and proxies before it")
        return found

    def _call(self, method: str, kind: str, id: str, body: dict[str, Any] | None = None, *, doing: object) -> Any:
        return self._caller.call(method, f"/api/v2/{kind}/{id}".rstrip("/"), body, doing=str(doing))

    def _pages(self, kind: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            query = urlencode({"orgID": self._organization(), "limit": _PAGE, "offset": offset})
            page: list[dict[str, Any]] = self._caller.call("GET", f"/api/v2/{kind}?{query}")[kind]
            # What the token may not read is taken out after the page was cut, so a short page need not be the last.
            if not page:
                return
            yield from page
            offset += _PAGE


def _seen_check(item: dict[str, Any], failure: str) -> SeenCheck:
    text = str((item.get("query") or {}).get("text", ""))
    return SeenCheck(
        item["id"], item["name"], item.get("description", ""), text, item.get("status") == "active", failure
    )


def _seen_endpoint(item: dict[str, Any]) -> SeenEndpoint:
    settings = {name: text for name, text in item.items() if isinstance(text, str)}
    active = item.get("status") == "active"
    return SeenEndpoint(
        item["id"], item["name"], item.get("description", ""), active, settings, str(item.get("updatedAt", ""))
    )


def _seen_rule(item: dict[str, Any], failure: str) -> SeenRule:
    names = ("type", "every", "offset", "statusRules", "tagRules", "messageTemplate", "channel")
    body = {name: item[name] for name in names if name in item}
    active = item.get("status") == "active"
    return SeenRule(
        item["id"], item["name"], item.get("description", ""), active, item.get("endpointID", ""), body, failure
    )
