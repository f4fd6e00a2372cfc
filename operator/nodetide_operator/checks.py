"""Keeping the alerts of policies that have InfluxDB evaluate them: what is wrong with one is not the others' matter."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from nodetide_core.errors import StoreError
from nodetide_core.policy import Policy, SecretRef
from nodetide_core.stores.influx.checks.keeping import ChecksKeeper
from nodetide_core.stores.influx.checks.marking import Mark
from nodetide_core.stores.influx.checks.observed import Observed
from nodetide_operator.judging import Judged
from nodetide_operator.outcomes import Outcome, SeenChecks
from nodetide_operator.world import Key

__all__ = ["Checks", "checks_ready"]

_log = logging.getLogger(__name__)

Outcomes = Mapping[Key, Outcome]


class Checks:
    """Belongs to one thread.

    Args:
        owner: what this installation marks its own with.
        watches: whether the policy of a stream, by its name, is one that this installation would know of.
        secrets: gives what a ``secretRef`` holds; raises OSError or LookupError.
        budget: seconds of changing things after which `reconcile` leaves the rest for the next time.

    Attributes:
        problem: why what dead policies have left could not be ended the last time; empty where it could.
    """

    def __init__(
        self,
        keeper: ChecksKeeper,
        owner: str,
        watches: Callable[[str], bool],
        secrets: Callable[[Policy, SecretRef], str],
        *,
        budget: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keeper = keeper
        self._owner = owner
        self._watches = watches
        self._secrets = secrets
        self._budget = budget
        self._monotonic = monotonic
        self._there = True
        self._left: frozenset[Key] = frozenset()
        self.problem = ""

    def reconcile(
        self, judged: Mapping[Key, Judged], outcomes: Outcomes, known: Callable[[str], bool]
    ) -> dict[Key, Outcome]:
        """The outcomes, with how the alerts stand; those that are left for the next time are left out.

        Args:
            outcomes: as `nodetide_operator.influx.Influx.reconcile` gives them.
            known: whether the policy of a stream, by its name, would be among ``judged`` if it were there.
        """
        self.problem = ""
        good = {key: item for key, item in judged.items() if key in outcomes and not outcomes[key].unreachable}
        asking = {key for key, item in good.items() if item.policy and item.policy.alert_engine == "influxdb"}
        if not asking and not self._there:
            return dict(outcomes)
        try:
            observed = self._keeper.observe()
        except StoreError as error:
            return _with(outcomes, {key: SeenChecks(problem=str(error)) for key in asking})
        self._sweep(judged, observed, known)
        marks = list(observed.marks())
        self._there = bool(asking) or any(mark.owner == self._owner for mark in marks)
        # Of those that ask for none any more, too.
        buckets = {mark.bucket for mark in marks}
        due = [key for key, item in good.items() if key in asking or (item.stream and item.stream.bucket in buckets)]
        found: dict[Key, SeenChecks] = {}
        end = self._monotonic() + self._budget
        for key in sorted(due, key=lambda key: key not in self._left):
            if found and self._monotonic() > end:
                break
            found[key] = self._keep(good[key], observed)
        self._left = frozenset(due) - found.keys()
        return _with({key: item for key, item in outcomes.items() if key not in self._left}, found)

    def _keep(self, item: Judged, observed: Observed) -> SeenChecks:
        policy, stream = item.policy, item.stream
        assert policy is not None and stream is not None  # noqa: S101 - they are good
        try:
            planned = self._keeper.plan(policy, stream, self._owner, observed, self._secrets)
            kept = self._keeper.keep(planned, observed)
        except StoreError as error:
            return SeenChecks(problem=str(error))
        for done in kept.done:
            _log.info("%s", done)
        return SeenChecks(kept.checks, kept.rules, "; ".join(map(str, kept.troubles)))

    def _sweep(self, judged: Mapping[Key, Judged], observed: Observed, known: Callable[[str], bool]) -> None:
        # A policy that is wrong for now, or in conflict, is not gone.
        buckets = {item.stream_name: item.stream.bucket if item.stream else None for item in judged.values()}

        def gone(mark: Mark) -> bool:
            bucket = buckets.get(mark.policy, "")
            dead = mark.owner == self._owner and mark.policy and bucket is not None and bucket != mark.bucket
            return bool(dead) and self._watches(mark.policy) and known(mark.policy)

        try:
            for done in self._keeper.sweep(gone, observed):
                _log.info("%s", done)
        except StoreError as error:
            self.problem = f"alerts that dead policies have left in InfluxDB: {error}"


def checks_ready(seen: SeenChecks | None) -> tuple[str, str, str]:
    """Status, reason and message of the condition.

    Args:
        seen: None where InfluxDB could not be asked.
    """
    if seen is None:
        return "Unknown", "NotAsked", "It is not known how the alerts stand in InfluxDB, which evaluates them."
    if seen.problem:
        return "False", "AlertsBroken", seen.problem
    told = f"{seen.checks} checks and {seen.rules} notification rules are as the spec says; InfluxDB evaluates them."
    return "True", "KeptInInfluxDB", told


def _with(outcomes: Outcomes, found: Mapping[Key, SeenChecks]) -> dict[Key, Outcome]:
    return {key: replace(item, checks=found.get(key)) for key, item in outcomes.items()}
