"""Alerts that InfluxDB evaluates are kept policy by policy, swept when theirs is gone, and told in its status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.policy import Policy, SecretRef
from nodetide_core.store import Stream
from nodetide_core.stores.influx.checks.keeping import Kept, Planned
from nodetide_core.stores.influx.checks.marking import Mark, describe
from nodetide_core.stores.influx.checks.observed import Observed, SeenCheck
from nodetide_core.stores.influx.checks.wanted import Trouble, Wanted
from nodetide_operator.checks import Checks, checks_ready
from nodetide_operator.config import OperatorConfig
from nodetide_operator.judging import Judge, Judged
from nodetide_operator.outcomes import Outcome, SeenChecks
from nodetide_operator.statuses import status_of
from nodetide_operator.world import Key

ALERTS = {"alerts": [{"name": "A", "type": "threshold", "metric": "mem.free", "critical": {"below": 1}}]}
BY_INFLUXDB = {**ALERTS, "alertEngine": "influxdb"}


class FakeKeeper:
    """Holds one check for each policy that asks for any.

    Attributes:
        fails: by bucket, what keeping its policy ends with.
    """

    def __init__(self) -> None:
        self.held: dict[str, Mark] = {}
        self.looks = 0
        self.kept: list[str] = []
        self.away: Exception | None = None
        self.fails: dict[str, Exception] = {}
        self.troubles: tuple[Trouble, ...] = ()
        self.clock = 0.0

    def observe(self) -> Observed:
        self.looks += 1
        if self.away is not None:
            raise self.away
        return Observed([SeenCheck("1", name, describe(mark), "", True) for name, mark in self.held.items()])

    def plan(
        self, policy: Policy, stream: Stream, owner: str, _: Observed, secrets: Callable[[Policy, SecretRef], str]
    ) -> Planned:
        return Planned(Wanted(Mark(stream.bucket, owner, stream.name), policy.alerts), ())  # type: ignore[arg-type]

    def keep(self, planned: Planned, _: Observed) -> Kept:
        mark = planned.wanted.mark
        self.clock += 1
        self.kept.append(mark.bucket)
        if mark.bucket in self.fails:
            raise self.fails[mark.bucket]
        self.held[mark.bucket] = mark
        return Kept(troubles=self.troubles, checks=1, rules=2)

    def sweep(self, gone: Callable[[Mark], bool], _: Observed) -> tuple[str, ...]:
        dead = [name for name, mark in self.held.items() if gone(mark)]
        return tuple(f"delete {self.held.pop(name).bucket}" for name in dead)


class Site:
    def __init__(self, config: OperatorConfig, bodies: Any, budget: float = 100.0) -> None:
        self.keeper = FakeKeeper()
        self._config = config
        self._bodies = bodies
        self.checks = Checks(
            self.keeper, config.owner, config.watches, lambda policy, ref: "", budget=budget,  # type: ignore[arg-type]
            monotonic=lambda: self.keeper.clock,
        )  # fmt: skip

    def judged(self, **specs: dict[str, Any]) -> dict[Key, Judged]:
        return dict(Judge(self._config).judge([self._bodies.object(name, spec) for name, spec in specs.items()]))

    def reconcile(self, known: Callable[[str], bool] = lambda _: True, **specs: Any) -> dict[str, SeenChecks | None]:
        judged = self.judged(**specs)
        outcomes = {key: Outcome() for key, item in judged.items() if item.good}
        return {key[1]: found.checks for key, found in self.checks.reconcile(judged, outcomes, known).items()}


@pytest.fixture
def site(config: OperatorConfig, bodies: Any) -> Site:
    return Site(config, bodies)


def test_each_is_kept_and_where_nobody_asks_for_it_nothing_is_looked_at(site: Site) -> None:
    assert site.reconcile(a=ALERTS, b={}) == {"a": None, "b": None}
    assert (site.keeper.looks, site.keeper.kept) == (1, []), "what was there before the start is looked for once"
    site.reconcile(a=ALERTS)
    assert site.keeper.looks == 1
    assert site.reconcile(a=BY_INFLUXDB, b=ALERTS) == {"a": SeenChecks(1, 2), "b": None}
    # Of one that asks no more, what is left is ended.
    site.reconcile(a=ALERTS)
    site.reconcile(a=ALERTS)
    assert site.keeper.kept == ["a", "a", "a"]


def test_one_that_fails_fails_alone(site: Site) -> None:
    site.keeper.fails = {
        "b": StoreUnavailable("create check: the token does not allow it"),
        "c": StoreRejected("taken"),
    }
    found = site.reconcile(a=BY_INFLUXDB, b=BY_INFLUXDB, c=BY_INFLUXDB, d={})
    assert found == {
        "a": SeenChecks(1, 2), "b": SeenChecks(problem="create check: the token does not allow it"),
        "c": SeenChecks(problem="taken"), "d": None,
    }  # fmt: skip


def test_where_influxdb_is_away_only_those_that_ask_are_told(site: Site) -> None:
    site.keeper.away = StoreUnavailable("away")
    assert site.reconcile(a=BY_INFLUXDB, b={}) == {"a": SeenChecks(problem="away"), "b": None}


def test_the_dead_are_swept_and_those_that_are_wrong_or_not_known_are_not(site: Site) -> None:
    site.reconcile(**dict.fromkeys("abcd", BY_INFLUXDB))
    other = Mark("other", "somebody", "nodetide/other")
    site.keeper.held["other"] = other
    site.keeper.held["moved"] = Mark("moved", next(iter(site.keeper.held.values())).owner, "")
    wrong = {**BY_INFLUXDB, "collection": {"interval": "soon"}}
    d = next(mark.policy for mark in site.keeper.held.values() if mark.bucket == "d")
    site.reconcile(lambda name: name != d, a=BY_INFLUXDB, b=wrong)
    assert set(site.keeper.held) == {"a", "b", "d", "other", "moved"}


def test_what_takes_long_is_left_for_the_next_time_and_then_comes_first(config: OperatorConfig, bodies: Any) -> None:
    site = Site(config, bodies, budget=1.5)
    specs = dict.fromkeys("abcde", BY_INFLUXDB)
    seen: list[set[str]] = [set(site.reconcile(**specs)) for _ in range(2)]
    assert len(seen[0]) == len(seen[1]) == 2 and not seen[0] & seen[1], "those left out are not told of as done"


def test_the_status_says_how_they_stand(config: OperatorConfig, bodies: Any) -> None:
    item = next(iter(Site(config, bodies).judged(a=BY_INFLUXDB).values()))

    def ready(outcome: Outcome | None) -> tuple[str, str, str]:
        status = status_of(item, outcome, None, None, now="2026-01-01T00:00:00Z")
        (found,) = (condition for condition in status["conditions"] if condition["type"] == "AlertsReady")
        return found["status"], found["reason"], found["message"]

    assert ready(None) == checks_ready(None) and ready(None)[:2] == ("Unknown", "NotAsked")
    good = replace(Outcome(), checks=SeenChecks(3, 1))
    assert ready(good) == (
        "True", "KeptInInfluxDB",
        "3 checks and 1 notification rules are as the spec says; InfluxDB evaluates them.",
    )  # fmt: skip
    broken = replace(Outcome(), checks=SeenChecks(2, 1, "alert A: flux: line 1, column 2: no"))
    assert ready(broken) == ("False", "AlertsBroken", "alert A: flux: line 1, column 2: no")
