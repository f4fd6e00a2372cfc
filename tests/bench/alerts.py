"""The alert engine alone: many policies, alerts and hosts, over a source that answers from memory at once.

What a store adds is measured elsewhere; here the source makes its columns before the clock runs.
"""

from __future__ import annotations

import os
import time
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence

from tests.bench.figures import Figure

from nodetide_core.alerts.evaluator import Evaluator
from nodetide_core.alerts.model import AlertKey, Reading
from nodetide_core.alerts.ports import AlertRecord, Remembered, Told, ToldKey
from nodetide_core.points import SeriesKey, Tags, make_tags
from nodetide_core.policy import Policy, parse_policy
from nodetide_core.store import Column, RangeQuery

POLICIES = int(os.environ.get("NODETIDE_BENCH_POLICIES", "200"))
HOSTS = int(os.environ.get("NODETIDE_BENCH_HOSTS", "500"))
_EVERY, _TURNS = 30, 3
_METRICS = (
    "cpu.usage_active", "cpu.usage_iowait", "cpu.usage_steal", "mem.used_percent", "mem.available_percent",
    "swap.used_percent", "system.load1", "system.load5", "system.load15", "kernel.context_switches",
)  # fmt: skip
_START = 20_000 * 86_400


class _Source:
    """Of each host one series; of every hundredth a value that reaches the levels.

    Attributes:
        firing: whether that is so.
    """

    def __init__(self) -> None:
        self.firing = False
        self._columns = {
            (metric, firing): [_column(metric, host, firing) for host in range(HOSTS)]
            for metric in _METRICS
            for firing in (False, True)
        }

    async def read(self, query: RangeQuery) -> list[Column]:
        names = [f"{query.measurement}.{field}" for field in query.fields]
        return [column for name in names for column in self._columns[name, self.firing]]

    async def last_seen(self, bucket: str, measurement: str, field: str | None, since: int) -> Mapping[Tags, int]:
        return {}

    async def flux(self, bucket: str, text: str) -> Sequence[Reading]:
        return []

    def remembered(self, bucket: str) -> Remembered:
        return Remembered()

    def remember(
        self,
        bucket: str,
        records: Mapping[AlertKey, AlertRecord | None],
        told: Mapping[ToldKey, Told | None],
        now: int,
    ) -> None:
        """Forgets at once: the store's part is measured elsewhere."""


def _column(metric: str, host: int, firing: bool) -> Column:
    measurement, _, field = metric.partition(".")
    value = 99.0 if firing and host % 100 == 0 else 10.0 + host / HOSTS
    key = SeriesKey(measurement, make_tags({"host": f"node-{host}", "cluster": "east"}))
    # Two steps, as a window of two evaluations has every other time.
    return Column(key, field, [0, _EVERY], [value, value], [_EVERY, _EVERY])


def _policy(number: int) -> Policy:
    alerts = [
        {
            "name": f"Alert{index}",
            "type": "threshold",
            "metric": metric,
            "every": f"{_EVERY}s",
            "window": "1m",
            "critical": {"above": 95, "recover": 85},
            "warning": {"above": 90},
            "annotations": {"summary": "{{ host }} at {{ value }}"},
        }
        for index, metric in enumerate(_METRICS)
    ]
    document = {"apiVersion": "nodetide.io/v1alpha1", "kind": "MetricPolicy", "metadata": {"name": f"p-{number}"}}
    return parse_policy({**document, "spec": {"alerts": alerts}})


def measure() -> Iterator[Figure]:
    source = _Source()
    policies = [_policy(number) for number in range(POLICIES)]
    watched = POLICIES * len(_METRICS) * HOSTS
    what = f"alerts, {POLICIES} policies × {len(_METRICS)} alerts × {HOSTS} hosts, 2 levels"
    evaluator = Evaluator(source, source)
    now = _START + 1
    try:
        evaluator.turn(policies, now)
        tracemalloc.start()
        evaluator.turn(policies, now + _EVERY)
        kept = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        calm = [_cpu(evaluator, policies, now + turn * _EVERY) for turn in range(2, 2 + _TURNS)]
        idle = min(_cpu(evaluator, policies, now + (1 + _TURNS) * _EVERY + second) for second in range(1, 4))
        source.firing = True
        crossing = _cpu(evaluator, policies, now + (2 + _TURNS) * _EVERY)
        steady = _cpu(evaluator, policies, now + (3 + _TURNS) * _EVERY)
    finally:
        evaluator.close()
    bar = f"under {_EVERY} s: keeps up on one core"
    yield Figure(f"{what}: CPU of an evaluation of all", "s", min(calm), bar=bar, met=min(calm) < _EVERY)
    yield Figure(f"{what}: CPU per alert and host", "µs", min(calm) / watched * 1e6)
    yield Figure(f"{what}: kept from one evaluation to the next, per alert and host", "bytes", max(0, kept) / watched)
    yield Figure(f"{what}: CPU of a turn in which nothing is due", "ms", idle * 1e3)
    yield Figure(f"{what}: CPU of an evaluation in which 1 in 100 begins to fire", "s", crossing)
    yield Figure(f"{what}: CPU of the one after it", "s", steady)


def _cpu(evaluator: Evaluator, policies: Sequence[Policy], now: int) -> float:
    began = time.process_time()
    evaluator.turn(policies, now)
    return time.process_time() - began
