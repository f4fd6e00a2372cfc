"""Played by promtool, rules fire exactly when the engine does."""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest
from tests.integration.alerts_prometheus.engine_reference import fires

from nodetide_core.alerts.levels import levels_of
from nodetide_core.policy import Policy

pytestmark = pytest.mark.peer

SCRAPE, EVERY, SAMPLES = 15, 30, 80
HOSTS = ("a", "b")
PATHS = ("/", "/data")
MakePolicy = Callable[..., Policy]
Play = Callable[..., None]
#: Samples by second.
Series = Mapping[int, float]


def random_alert(rng: random.Random) -> dict[str, Any]:
    """A threshold of any kind; no bound is a value that may occur."""
    odd = 0.013
    alert: dict[str, Any] = {
        "name": "A",
        "metric": rng.choice(["disk.used_percent", "disk.used_percent", "net.drop_in"]),
        "window": rng.choice(["30s", "1m", "2m"]),
        "for": rng.choice(["0s", "30s", "90s"]),
        "keepFiringFor": rng.choice(["0s", "0s", "1m"]),
    }
    if alert["metric"] == "disk.used_percent":
        alert["aggregate"] = rng.choice(["mean", "min", "max", "last"])
        if rng.random() < 0.5:
            alert["groupBy"] = ["host"]
        if rng.random() < 0.2:
            alert["predictAfter"] = "1m"
    for severity in rng.sample(["critical", "warning", "info"], rng.choice([1, 2])):
        bound = rng.choice([20, 40, 50, 60, 80]) + odd
        relation = rng.choice(["above", "above", "below", "below", "outside", "inside"])
        if relation in ("outside", "inside"):
            alert[severity] = {relation: [bound - 15, bound + 15]}
        else:
            alert[severity] = {relation: bound}
            if rng.random() < 0.6:
                alert[severity]["recover"] = bound + rng.choice([5, 15]) * (-1 if relation == "above" else 1)
    return alert


def random_series(rng: random.Random, counter: bool) -> Series:
    """Levels held for a while, with noise; a counter's growth for each second, from rest and with resets."""
    values, level = [], rng.randrange(100)
    for _ in range(SAMPLES):
        if rng.random() < 0.25:
            level = rng.randrange(100)
        values.append(float(level + rng.randrange(-2, 3)))
    if counter:
        total, totals = 0.0, []
        for number, value in enumerate(values):
            grown = max(value, 0.0) * SCRAPE if number > 9 else 0.0
            total = grown if rng.random() < 0.03 else total + grown
            totals.append(total)
        values = totals
    return {number * SCRAPE: value for number, value in enumerate(values)}


def aggregate(alert: Any, series: Series, now: int, counter: bool) -> float | None:
    """Of the window that ends now; both ends count, as Prometheus 2 has it. None where one sample is too few."""
    times = [time for time in series if now - alert.window <= time <= now]
    values = [series[time] for time in times]
    if len(values) < 2 and (alert.predict_after or counter):
        return None
    if alert.predict_after:
        line = statistics.linear_regression(times, values)
        return line.slope * (now + alert.predict_after) + line.intercept
    if counter:
        grown = sum(new - old if new >= old else new for old, new in itertools.pairwise(values))
        return grown / (times[-1] - times[0])
    return {"mean": statistics.fmean, "min": min, "max": max, "last": lambda found: found[-1]}[alert.aggregate](values)


def expected(policy: Policy, groups: Mapping[Any, Sequence[Series]], counter: bool) -> list[dict[str, Any]]:
    """A promtool test of each evaluation, from where windows are whole."""
    (alert,) = policy.alerts
    times = range(0, SAMPLES * SCRAPE, EVERY)
    by_time: dict[int, list[dict[str, Any]]] = {time: [] for time in times}
    for labels, members in groups.items():
        found = [(now, [aggregate(alert, series, now, counter) for series in members]) for now in times]
        values = [(now, [value for value in seen if value is not None]) for now, seen in found]
        for severity in levels_of(alert):
            for now, value in fires(alert, severity, values).items():
                if value is not None:
                    names = {**dict(labels), "severity": severity, "policy": "p", "namespace": "default"}
                    by_time[now].append({"exp_labels": names})
    return [{"eval_time": f"{now}s", "alertname": "A", "exp_alerts": found} for now, found in by_time.items()]


def scenario(seed: int, policy: MakePolicy) -> tuple[list[Policy], dict[str, Any]]:
    rng = random.Random(seed)
    document = random_alert(rng)
    made = policy(document)
    counter = document["metric"] == "net.drop_in"
    name = "nodetide_net_drop_in_total" if counter else "nodetide_disk_used_percent"
    tag = "interface" if counter else "path"
    members: dict[tuple[tuple[str, str], ...], list[Series]] = {}
    played = []
    for host in HOSTS:
        for path in PATHS:
            series = random_series(rng, counter)
            labels = {"host": host, tag: path}
            whole = ",".join(f'{key}="{value}"' for key, value in labels.items())
            # Two replicas of the API serve the same.
            for replica in ("one", "two"):
                text = " ".join(f"{value:g}" if value == int(value) else repr(value) for value in series.values())
                played.append({"series": f'{name}{{{whole},instance="{replica}"}}', "values": text})
            key = {"host": host} if "groupBy" in document else labels
            members.setdefault(tuple(key.items()), []).append(series)
    test = {
        "interval": f"{SCRAPE}s",
        "input_series": played,
        "alert_rule_test": expected(made, members, counter),
    }
    return [made], test


def test_thresholds_fire_as_the_engine_has_it(play: Play, policy: MakePolicy) -> None:
    scenarios = [scenario(seed, policy) for seed in range(120)]
    firing = sum(bool(step["exp_alerts"]) for _, test in scenarios for step in test["alert_rule_test"])
    assert firing > 500  # or nothing is compared
    play(scenarios)


def test_a_value_between_recover_and_bound_does_not_hold_what_is_kept_firing(play: Play, policy: MakePolicy) -> None:
    """It was left, so it is not reached again before the bound: where ALERTS were asked, it would be."""
    made = policy(
        {
            "name": "A", "metric": "mem.used_percent", "aggregate": "last", "window": "30s",
            "warning": {"above": 90, "recover": 80}, "keepFiringFor": "2m",
        }
    )  # fmt: skip
    values = [95, 85, 85, 70, 85, 85, 85, 85, 85]
    told = [{"exp_labels": {"host": "a", "severity": "warning", "policy": "p", "namespace": "default"}}]
    fire = [True, True, True, True, True, True, True, False, False]
    test = {
        "interval": "30s",
        "input_series": [
            {"series": 'nodetide_mem_used_percent{host="a"}', "values": " ".join(map(str, values))},
        ],
        "alert_rule_test": [
            {"eval_time": f"{30 * number}s", "alertname": "A", "exp_alerts": told if firing else []}
            for number, firing in enumerate(fire)
        ],
    }
    play([([made], test)])


def deadman(policy: MakePolicy, **more: Any) -> Policy:
    return policy({"name": "A", "type": "deadman", "window": "2m", **more})


def steps(when: Iterable[int], labels: Mapping[str, str], note: Callable[[int], str], last: int) -> list[Any]:
    firing = set(when)
    names = {**labels, "severity": "critical", "policy": "p", "namespace": "default"}
    return [
        {
            "eval_time": f"{now}s",
            "alertname": "A",
            "exp_alerts": [{"exp_labels": names, "exp_annotations": {"summary": note(now)}}] if now in firing else [],
        }
        for now in range(0, last + 1, EVERY)
    ]


@pytest.mark.parametrize("group", [[], ["host", "rack"]], ids=["by-host", "grouped"])
def test_a_silent_host_is_told_from_an_api_that_is_away(play: Play, policy: MakePolicy, group: list[str]) -> None:
    """Of two hosts one falls silent at 60 s; the store cannot be asked from 300 s on, and the API not at all from
    420 s; both come back at 600 s."""
    labels = {"rack": "r"} if group else {}
    made = deadman(
        policy, metric="system.uptime", groupBy=group, annotations={"summary": "{{ value }}"},
    )  # fmt: skip
    last, rows = 900, []
    asked = list(range(0, last + 1, EVERY))
    up = ["1" if t < 300 or t >= 600 else "0" if t < 420 else "stale" if t == 420 else "_" for t in asked]
    rows.append({"series": "nodetide_api_store_up", "values": " ".join(up)})
    for host, silent in (("a", 60), ("b", 10_000)):
        times = [str(min(t, silent)) if t < 300 or t >= 600 else "stale" if t == 300 else "_" for t in asked]
        whole = f'nodetide_last_sample_timestamp_seconds{{host="{host}",measurement="system",rack="r"}}'
        rows.append({"series": whole, "values": " ".join(times)})
        mem = f'nodetide_last_sample_timestamp_seconds{{host="{host}",measurement="mem"}}'
        rows.append({"series": mem, "values": " ".join("0" for _ in asked)})
    when = [*range(60 + 120 + EVERY, 300, EVERY), *range(600, last + 1, EVERY)]
    expect = steps(when, {"host": "a", **labels}, lambda now: str(now - 60), last)
    play([([made], {"interval": f"{EVERY}s", "input_series": rows, "alert_rule_test": expect})])


def test_a_series_that_falls_silent_while_its_host_does_not(play: Play, policy: MakePolicy) -> None:
    made = deadman(
        policy, metric="disk", filter={"path": "/data"}, annotations={"summary": "{{ value }} s"},
    )  # fmt: skip
    last = 600
    asked = list(range(0, last + 1, EVERY))
    gone = ["5" if t <= 60 else "stale" if t == 90 else "_" for t in asked]
    up = ["stale" if t == 300 else "_" if 300 < t < 480 else "1" for t in asked]
    rows = [
        {"series": "nodetide_api_store_up", "values": " ".join(up)},
        {"series": 'nodetide_disk_total_bytes{host="a",path="/data"}', "values": " ".join(gone)},
        {"series": 'nodetide_disk_total_bytes{host="b",path="/data"}', "values": " ".join("7" for _ in asked)},
        {"series": 'nodetide_disk_total_bytes{host="a",path="/"}', "values": " ".join("7" for _ in asked)},
    ]
    when = [*range(60 + 120 + EVERY, 300, EVERY), *range(480, last + 1, EVERY)]
    expect = steps(when, {"host": "a"}, lambda now: "120 s", last)
    play([([made], {"interval": f"{EVERY}s", "input_series": rows, "alert_rule_test": expect})])


def test_labels_of_the_policy_tell_its_series_from_others(play: Play, policy: MakePolicy) -> None:
    made = policy(
        {"name": "A", "metric": "mem.used_percent", "warning": {"above": 50}},
        collection={"labels": {"fleet": "edge", "example.com/x": "1"}},
    )
    rows = [
        {"series": 'nodetide_mem_used_percent{host="a",fleet="edge",example_com_x="1",job="j"}', "values": "75x9"},
        {"series": 'nodetide_mem_used_percent{host="b",fleet="core",example_com_x="1"}', "values": "75x9"},
        {"series": 'nodetide_mem_used_percent{host="c"}', "values": "75x9"},
    ]
    labels = {"host": "a", "fleet": "edge", "example_com_x": "1"}
    fire = {"exp_labels": {**labels, "severity": "warning", "policy": "p", "namespace": "default"}}
    steps = [{"eval_time": "1m", "alertname": "A", "exp_alerts": [fire]}]
    play([([made], {"interval": "15s", "input_series": rows, "alert_rule_test": steps})])
