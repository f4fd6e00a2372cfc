"""Evaluating the alerts of many policies from a real influxd, and what each costs for each host.

``NODETIDE_BENCH_ALERT_POLICIES`` and ``NODETIDE_BENCH_ALERT_HOSTS`` choose how many (200 and 500), each policy with the
ten alerts below, all of them due at the same moment; then a prediction alone, and two of the ten that cost the most.

Simplified: the policies look alike, and though each has a bucket they share two, each read as often as if it were
their own; of what collectors write there are the eleven series that alerts look at, each second for as long as a window
and the gap of counters before it, and once in half an hour for the day before; nobody is told.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from servers import InfluxServer, influxd
from tests.bench.figures import Figure, median
from tests.bench.influx_filling import post
from tests.bench.processes import cpu_seconds

from nodetide_core.alerts.evaluator import Evaluator
from nodetide_core.alerts.model import Reading
from nodetide_core.alerts.ports import Remembered
from nodetide_core.alerts.report import Report
from nodetide_core.points import Tags
from nodetide_core.policy import Policy, parse_policy
from nodetide_core.store import Column, RangeQuery, Stream
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.store import InfluxStore
from nodetide_core.tiers import DEFAULT_TIERS, Tier, Tiers

POLICIES = int(os.environ.get("NODETIDE_BENCH_ALERT_POLICIES", "200"))
HOSTS = tuple(f"node-{number:03d}" for number in range(int(os.environ.get("NODETIDE_BENCH_ALERT_HOSTS", "500"))))
BUCKETS = tuple(f"alerts{number}" for number in range(2))
#: Seconds, as of the default alerts.
EVERY, ROUNDS = 60, 2
#: Seconds of samples before the first evaluation.
BEFORE = DEFAULT_TIERS.counter_gap + EVERY
DAY = 86_400
RAW = Tiers((Tier("raw", 0, DAY),))
CPUS = ("cpu-total", "cpu0", "cpu1", "cpu2", "cpu3")


def measure() -> Iterator[Figure]:
    # Data for the rounds is there before they begin, which is no matter: each asks for its own minute.
    start = int(time.time()) // EVERY * EVERY - ROUNDS * EVERY
    with tempfile.TemporaryDirectory() as folder, influxd(Path(folder), options=["--log-level=error"]) as server:
        clock = _Clock(start)
        store = InfluxStore(StoreConfig(server.url, server.org, lambda: server.token), clock=clock)
        try:
            # InfluxDB looks through all buckets for each statement, also through empty ones.
            names = [*BUCKETS, *(policy.storage.bucket for policy in _policies(POLICIES, ALERTS))]
            store.ensure([Stream(name, name, RAW) for name in names])
            for bucket in BUCKETS:
                post(server, bucket, _lines(range(start - DAY + 600, start - BEFORE, 1_800)))
                post(server, bucket, _lines(range(start - BEFORE, start + ROUNDS * EVERY)))
            yield from _figures(server, store, clock)
        finally:
            store.close()


class _Clock:
    """Stands at the evaluation that is made, for points take minutes to be written."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.now = float(start)

    def __call__(self) -> float:
        return self.now


def _figures(server: InfluxServer, store: InfluxStore, clock: _Clock) -> Iterator[Figure]:
    seconds, theirs, ours, report = _rounds(server, store, clock, POLICIES, ALERTS)
    n, what = POLICIES * len(ALERTS), f"{POLICIES} policies × {len(ALERTS)}, {len(HOSTS)} hosts"
    each = 1e6 / (n * len(HOSTS))
    bar = f"under their every, {EVERY} s"
    yield Figure(f"alerts, {what}: one evaluation of all", "s", seconds, bar=bar, met=seconds < EVERY)
    yield Figure(f"alerts, {what}: CPU of influxd, per alert and host", "µs", theirs * each)
    yield Figure(f"alerts, {what}: CPU of ours, per alert and host", "µs", ours * each)
    yield Figure(f"alerts, {what}: that fire meanwhile", "", float(sum(h.firing for h in report.health.values())))
    some = max(1, POLICIES // 10)
    for name, alert in (("a rate", RATE), ("a deadman", DEADMAN), ("a prediction", PREDICTION)):
        _, theirs, ours, _ = _rounds(server, store, clock, some, [alert])
        each = 1e6 / (some * len(HOSTS))
        yield Figure(f"{name}, {len(HOSTS)} hosts: CPU of influxd, per host", "µs", theirs * each)
        yield Figure(f"{name}, {len(HOSTS)} hosts: CPU of ours, per host", "µs", ours * each)


def _rounds(
    server: InfluxServer, store: InfluxStore, clock: _Clock, count: int, alerts: Sequence[Mapping[str, Any]]
) -> tuple[float, float, float, Report]:
    """Seconds of an evaluation, of CPU that it costs influxd and us, and what it found."""
    shared = _Shared(store)
    evaluator = Evaluator(shared, shared)
    policies = _policies(count, alerts)
    hosts = {policy.storage.bucket: frozenset(HOSTS) for policy in policies}
    taken: list[list[float]] = []
    report = Report((), {}, {})
    try:
        for number in range(ROUNDS + 1):
            clock.now = float(clock.start + number * EVERY + 1)
            before = time.perf_counter(), cpu_seconds(server.pid), cpu_seconds(os.getpid())
            report = evaluator.turn(policies, clock.now, hosts)
            after = time.perf_counter(), cpu_seconds(server.pid), cpu_seconds(os.getpid())
            if number:  # the first one finds all that fires
                taken.append([now - was for was, now in zip(before, after, strict=True)])
    finally:
        evaluator.close()
    wrong = [health.error for health in report.health.values() if health.error]
    assert not wrong, wrong[0]
    seconds, theirs, ours = (median(column) for column in zip(*taken, strict=True))
    return seconds, theirs, ours, report


class _Shared:
    """A source and memory in which many buckets are a few."""

    def __init__(self, store: InfluxStore) -> None:
        self._store = store

    async def read(self, query: RangeQuery) -> list[Column]:
        return await self._store.read(replace(query, bucket=_real(query.bucket)))

    async def last_seen(self, bucket: str, measurement: str, field: str | None, since: int) -> Mapping[Tags, int]:
        return await self._store.last_seen(_real(bucket), measurement, field, since)

    async def flux(self, bucket: str, text: str) -> Sequence[Reading]:
        return await self._store.flux(bucket, text)

    def remembered(self, bucket: str) -> Remembered:
        self._store.remembered(_real(bucket))
        return Remembered()

    def remember(self, bucket: str, records: Any, told: Any, now: int) -> None:
        self._store.remember(_real(bucket), records, told, now)


def _real(bucket: str) -> str:
    return BUCKETS[int(bucket.rpartition("-")[2]) % len(BUCKETS)]


def _alert(name: str, metric: str, level: Mapping[str, float], **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "threshold", "metric": metric, "critical": level, "every": f"{EVERY}s", **more}


_TOTAL = {"cpu": "cpu-total"}
RATE = _alert("NetworkErrors", "net.err_in", {"above": 10})
DEADMAN = {"name": "Silent", "type": "deadman", "metric": "mem.used_percent", "every": f"{EVERY}s", "window": "1m"}
PREDICTION = _alert("DiskFilling", "disk.free", {"below": 0}, predictAfter="4h")
ALERTS = [
    _alert("HighCPU", "cpu.usage_active", {"above": 95, "recover": 85}, filter=_TOTAL, warning={"above": 85}),
    _alert("HighIowait", "cpu.usage_iowait", {"above": 50}, filter=_TOTAL),
    _alert("IdleCpu", "cpu.usage_active", {"below": -1}, filter=_TOTAL, aggregate="min"),
    _alert("Memory", "mem.used_percent", {"above": 95}),
    _alert("MemoryAvailable", "mem.available_percent", {"below": 5}),
    _alert("DiskFull", "disk.used_percent", {"above": 95}),
    _alert("DiskSmall", "disk.free", {"below": 10**9}),
    _alert("Load", "system.load1", {"above": 100}, aggregate="max"),
    RATE,
    DEADMAN,
]


def _policies(count: int, alerts: Sequence[Mapping[str, Any]]) -> list[Policy]:
    return [_policy(f"policy-{number:03d}", alerts) for number in range(count)]


def _policy(name: str, alerts: Sequence[Mapping[str, Any]]) -> Policy:
    tiers = [{"name": "raw", "retention": "24h"}]
    spec = {"alerts": list(alerts), "storage": {"bucket": name, "tiers": tiers}}
    return parse_policy(
        {"apiVersion": "nodetide.io/v1alpha1", "kind": "MetricPolicy", "metadata": {"name": name}, "spec": spec}
    )


def _lines(seconds: range) -> Iterator[str]:
    """One host in a hundred is in trouble."""
    for at in seconds:
        for number, host in enumerate(HOSTS):
            load = 97.5 if number % 100 == 0 else (at + number) % 80 / 1.0
            for cpu in CPUS:
                yield f"cpu,cpu={cpu},host={host} usage_active={load},usage_iowait=0.5 {at}"
            yield f"mem,host={host} used_percent={load},available_percent={100 - load} {at}"
            for path in ("/", "/data"):
                disk = f"disk,device=d,fstype=ext4,host={host},mode=rw,path={path}"
                yield f"{disk} used_percent=60,free={10**12 - at % 9}i {at}"
            yield f"system,host={host} load1=1.5 {at}"
            yield f"net,host={host},interface=eth0 err_in={at // 20}i {at}"
