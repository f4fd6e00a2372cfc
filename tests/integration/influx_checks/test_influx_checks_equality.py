"""InfluxDB's checks and our own engine, given the same points at the same times, see the same changes of levels."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.integration.influx_checks.org import Org

from nodetide_core.alerts.evaluator import Evaluator
from nodetide_core.alerts.model import Phase
from nodetide_core.points import Point, Tags, make_tags
from nodetide_core.policy import Policy
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.stores.influx.checks.texts import LEVELS

pytestmark = [pytest.mark.peer, pytest.mark.slow]

EVERY = 10
EVALUATIONS = 22
HOSTS = [f"h{number}" for number in range(12)]
#: Seconds between the first point and now; what runs by the clock of InfluxDB meanwhile sees nothing of it.
AGO = 2_400

ALERTS = [
    {"name": "Mean", "metric": "cpu.usage_active", "window": "30s", "critical": {"above": 60},
     "warning": {"above": 50}},
    {"name": "Last", "metric": "cpu.usage_active", "window": "10s", "aggregate": "last", "critical": {"above": 90},
     "warning": {"above": 80}, "info": {"above": 50}},
    {"name": "Max", "metric": "cpu.usage_active", "window": "20s", "aggregate": "max", "info": {"outside": [70, 95]}},
    {"name": "Below", "metric": "cpu.usage_active", "aggregate": "min", "window": "15s", "critical": {"below": 5}},
    {"name": "Inside", "metric": "mem.free", "aggregate": "last", "window": "10s", "warning": {"inside": [3, 6]}},
    {"name": "Rate", "metric": "net.bytes_recv", "window": "30s", "critical": {"above": 600},
     "warning": {"outside": [400, 540]}},
    {"name": "Slow", "metric": "net.bytes_recv", "window": "30s", "filter": {"interface": "eth1"},
     "info": {"below": 480}},
]  # fmt: skip
SILENT = [
    {"name": "Silent", "type": "deadman", "metric": "system", "window": "25s"},
    {"name": "NoLoad", "type": "deadman", "metric": "system.load1", "window": "40s", "warning": {}, "info": {}},
]

#: Level by time, of one alert and series.
Course = Mapping[int, str]


def points(start: int, seed: int) -> Iterator[Point]:
    """Walks that cross every bound, holes of all lengths, counters that are reset."""
    dice = random.Random(seed)
    for host in HOSTS:
        usage, free, grown, silent = 50.0, 5, {"eth0": 10**6, "eth1": 7}, 0
        for second in range(-60, EVERY * EVALUATIONS):
            at = start + second
            if silent:
                silent -= 1
                continue
            # Of what begins with a hole the first status differs: see docs/alert-engines.md.
            if second > 40 and dice.random() < 0.01:
                silent = dice.choice([1, 3, 8, 15])
            usage = min(100.0, max(0.0, usage + dice.uniform(-12, 12)))
            free = min(9, max(0, free + dice.choice([-1, 0, 1])))
            yield Point("cpu", make_tags({"host": host, "cpu": "cpu-total"}), {"usage_active": usage}, at)
            yield Point("mem", make_tags({"host": host}), {"free": free}, at)
            for name in grown:
                reset = dice.random() < 0.02
                grown[name] = dice.randrange(500) if reset else grown[name] + int(dice.expovariate(1 / 500))
                yield Point("net", make_tags({"host": host, "interface": name}), {"bytes_recv": grown[name]}, at)


def silences(start: int, seed: int) -> Iterator[Point]:
    """Hosts that fall silent and come back; some send a part of their fields only."""
    dice = random.Random(seed)
    for host in HOSTS:
        second = -60
        while second < EVERY * EVALUATIONS:
            fields: dict[str, Any] = {"uptime": second + 100}
            yield Point("system", make_tags({"host": host}), fields | ({"load1": 1.5} if dice.random() < 0.5 else {}),
                        start + second)  # fmt: skip
            second += dice.choice([1, 5, 10, 40, 50])


def ours(
    store: EmbeddedStore, data: Sequence[Point], policy: Policy, times: Sequence[int]
) -> dict[tuple[str, Tags], Course]:
    """The highest severity that fires at each time, by the engine on the embedded store."""
    firing: dict[tuple[str, Tags], set[str]] = {}
    found: dict[tuple[str, Tags], dict[int, str]] = {}
    with closing(Evaluator(store, store)) as evaluator:
        for before, at in pairwise((times[0] - EVERY - 3_600, *times)):
            # Point by point as time goes on: what is silent is so until somebody speaks again.
            here = [point for point in data if before <= point.time < at]
            assert store.write(policy.storage.bucket, here).written == len(here)
            report = evaluator.turn([replace(policy, alert_engine="nodetide")], at + EVERY - 1)
            assert {health.evaluated for health in report.health.values()} == {at}, report.health
            for change in report.transitions:
                assert change.at == at
                known = firing.setdefault((change.key.alert, change.key.tags), set())
                (known.add if change.after.phase is Phase.FIRING else known.discard)(LEVELS[change.key.severity])
            for series, levels in firing.items():
                found.setdefault(series, {})[at] = next((x for x in LEVELS.values() if x in levels), "ok")
    return found


def theirs(org: Org, times: Sequence[int]) -> dict[tuple[str, Tags], Course]:
    """The newest level of InfluxDB's statuses at each time."""
    told: dict[tuple[str, Tags], dict[int, str]] = {}
    for row in org.statuses(times[0]):
        at = int(row["_time"])
        if at <= times[-1]:
            tags = make_tags({key: row[key] for key in ("host", "cpu", "interface") if key in row})
            course = told.setdefault((row["alertname"], tags), {})
            assert course.setdefault(at, row["_level"]) == row["_level"], "two levels at one time"
    found = {}
    for series, course in told.items():
        newest = "ok"
        found[series] = {at: (newest := course.get(at, newest)) for at in times}
    return found


def changes(course: Course) -> int:
    levels = list(course.values())
    return sum(before != after for before, after in pairwise(levels))


@pytest.mark.parametrize(("alerts", "series"), [(ALERTS, points), (SILENT, silences)], ids=["values", "silence"])
def test_both_engines_see_the_same_levels_at_the_same_times(
    org: Org, policy: Callable[..., Policy], until: Callable[..., Any], tmp_path: Path, alerts: list[dict[str, Any]],
    series: Callable[[int, int], Iterator[Point]],
) -> None:  # fmt: skip
    start = (int(time.time()) - AGO) // 60 * 60
    wanted = policy("b", alerts=[{"type": "threshold", "every": f"{EVERY}s", **alert} for alert in alerts])
    data = list(series(start, 7))
    org.make_bucket("b")
    org.write("b", data)
    assert not org.keep(wanted).troubles
    times = [start + EVERY * number for number in range(1, EVALUATIONS)]
    org.evaluate([f"nodetide b {alert.name}" for alert in wanted.alerts], times, until)
    clock = float(start + EVERY * EVALUATIONS)
    with closing(EmbeddedStore.open(tmp_path, clock=lambda: clock)) as store:
        store.ensure([wanted.stream])
        expected = ours(store, data, wanted, times)
    found = theirs(org, times)
    # Whoever had no status lately begins with ok, so the first time shows nothing.
    for at in times[1:]:
        for series in expected.keys() | found.keys():
            levels = [courses.get(series, {}).get(at, "ok") for courses in (expected, found)]
            assert levels[0] == levels[1], (at - start, series, levels)
    for alert in wanted.alerts:
        seen = sum(changes(course) for (name, _), course in found.items() if name == alert.name)
        assert seen > 10, f"{alert.name} changes {seen} times: that shows nothing"
