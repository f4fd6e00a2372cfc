"""Keeping the checks, endpoints and rules of policies, one policy at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.errors import StoreRejected
from nodetide_core.policy import Policy, SecretRef
from nodetide_core.redaction import redacted
from nodetide_core.store import Stream
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.checks.changes import Change
from nodetide_core.stores.influx.checks.control import ChecksControl
from nodetide_core.stores.influx.checks.marking import Mark
from nodetide_core.stores.influx.checks.observed import Observed
from nodetide_core.stores.influx.checks.planning import plan, sweep
from nodetide_core.stores.influx.checks.scripts import Script
from nodetide_core.stores.influx.checks.sealing import Sealer
from nodetide_core.stores.influx.checks.wanted import Trouble, Wanted, wanted

__all__ = ["ChecksKeeper", "Kept", "Planned"]

#: Scripts that are remembered.
_SCRIPTS = 1_024
#: Characters of a failure that are told.
_LONGEST = 500
_QUOTED = re.compile('"[^"]*"')


@dataclass(frozen=True, slots=True)
class Planned:
    wanted: Wanted
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """How a policy's alerts stand in InfluxDB.

    Attributes:
        done: what was changed, for people.
        troubles: what is not as the policy has it, or fails as it runs.
        checks, rules: how many there are to be.
    """

    done: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    checks: int = 0
    rules: int = 0


class ChecksKeeper:
    """Belongs to one thread.

    Args:
        organization: gives the organization's id.
    """

    def __init__(self, caller: Caller, organization: Callable[[], str], sealer: Sealer | None = None) -> None:
        self._sealer = sealer or Sealer()
        self._control = ChecksControl(caller, organization, self._sealer)
        self._scripts: dict[str, Script | StoreRejected] = {}

    def observe(self) -> Observed:
        """
        Raises:
            StoreUnavailable, StoreRejected
        """
        return self._control.observe()

    def plan(
        self,
        policy: Policy,
        stream: Stream,
        owner: str,
        observed: Observed,
        secrets: Callable[[Policy, SecretRef], str],
    ) -> Planned:
        """
        Args:
            owner: the installation that keeps them.
            secrets: see `nodetide_core.stores.influx.checks.wanted.wanted`.

        Raises:
            StoreRejected: a name is taken by what another policy or installation keeps.
            StoreUnavailable
        """
        asked = wanted(policy, stream, owner, CATALOGUE, scripts=self._script, secrets=secrets)
        return Planned(asked, plan(asked, observed, self._sealer))

    def keep(self, planned: Planned, observed: Observed) -> Kept:
        """Carry a plan out.

        Args:
            observed: what it was made of.

        Raises:
            StoreRejected, StoreUnavailable: what was done stays, and planning again gives the rest.
        """
        self._control.apply(planned.changes)
        asked = planned.wanted
        failing = () if planned.changes else tuple(_failing(asked, observed))
        done = tuple(map(str, planned.changes))
        return Kept(done, (*asked.troubles, *failing), len(asked.checks), len(asked.rules))

    def apply(self, change: Change) -> None:
        """
        Raises:
            StoreRejected, StoreUnavailable
        """
        self._control.apply([change])

    def sweep(self, gone: Callable[[Mark], bool], observed: Observed) -> tuple[str, ...]:
        """End what is there for nobody; what was done, for people.

        Raises:
            StoreRejected, StoreUnavailable
        """
        changes = sweep(gone, observed)
        self._control.apply(changes)
        return tuple(map(str, changes))

    def _script(self, text: str) -> Script:
        found = self._scripts.get(text)
        if found is None:
            try:
                found = self._control.script(text)
            except StoreRejected as error:
                found = error
            if len(self._scripts) >= _SCRIPTS:
                self._scripts.clear()
            self._scripts[text] = found
        if isinstance(found, StoreRejected):
            raise found
        return found


def _failing(asked: Wanted, observed: Observed) -> Iterator[Trouble]:
    checks = {check.name: check.alert for check in asked.checks}
    for check in observed.checks:
        if check.failure and check.name in checks:
            yield Trouble(f"alert {checks[check.name]}", f"InfluxDB fails to evaluate it: {check.failure[:_LONGEST]}")
    rules = {rule.name: rule.endpoint for rule in asked.rules}
    secrets = {endpoint.name: endpoint.secret.text for endpoint in asked.endpoints if endpoint.secret is not None}
    for rule in observed.rules:
        if rule.failure and rule.name in rules:
            said = _without_addresses(redacted(rule.failure, secrets.get(rules[rule.name])))[:_LONGEST]
            yield Trouble(f"notification rule {rule.name}", f"InfluxDB fails to run it: {said}")


def _without_addresses(text: str) -> str:
    """An error of Go's may quote the whole address that was asked, which of Slack is the secret; perhaps one that was
    replaced since."""
    return _QUOTED.sub(lambda match: '"***"' if "/" in match[0] else match[0], text)
