"""A store held in memory: the definitions of core applied to raw points, as slowly and plainly as that goes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from nodetide_core.alerts.model import AlertKey
from nodetide_core.alerts.ports import AlertRecord
from nodetide_core.catalogue import CATALOGUE, Kind
from nodetide_core.points import Point, SeriesKey, tag
from nodetide_core.rollup import (
    CounterRollup,
    GaugeRollup,
    Sample,
    counter_windows,
    gauge_windows,
    merge_counters,
    merge_gauges,
)
from nodetide_core.store import Aggregate, Column, Latest, RangeQuery, Stream
from nodetide_core.tiers import align_down

__all__ = ["MemoryReader"]


class MemoryReader:
    """A `StoreReader` that can be told to fail or to wait.

    Attributes:
        calls: how often each question was asked.
        cancelled: how often each was cancelled.
        failure: raised by every question while set.
        gate: every question but `streams` waits for it.
        complete: watermarks that differ from "every window that has ended", by tier name.
        records: what is remembered of alerts, by bucket.
        evaluations: when they were evaluated last.
    """

    def __init__(self, now: int, streams: Sequence[Stream] = (Stream("system-metrics", "system-metrics"),)) -> None:
        self.now = now
        self.held = list(streams)
        self.points: dict[str, list[Point]] = {stream.bucket: [] for stream in streams}
        self.calls: Counter[str] = Counter()
        self.queries: list[RangeQuery] = []
        self.cancelled: Counter[str] = Counter()
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.complete: dict[str, int] = {}
        self.records: dict[str, dict[AlertKey, AlertRecord]] = {}
        self.evaluations: dict[str, int] = {}

    def add(self, *points: Point, bucket: str = "system-metrics") -> None:
        self.points[bucket] += points

    async def _asked(self, question: str) -> None:
        self.calls[question] += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled[question] += 1
            raise
        if self.failure is not None:
            raise self.failure

    async def waiting(self, question: str) -> None:
        """Returns once ``question`` has been asked."""
        while not self.calls[question]:  # noqa: ASYNC110 - a turn of the loop is exactly what it takes
            await asyncio.sleep(0)

    async def streams(self) -> Sequence[Stream]:
        self.calls["streams"] += 1
        if self.failure is not None:
            raise self.failure
        return list(self.held)

    async def ready(self) -> None:
        await self._asked("ready")

    async def hosts(self, bucket: str) -> Mapping[str, int]:
        await self._asked("hosts")
        newest: dict[str, int] = {}
        for point in self.points[bucket]:
            host = tag(point.tags, "host") or ""
            newest[host] = max(point.time, newest.get(host, point.time))
        return newest

    async def watermarks(self, bucket: str) -> Mapping[str, int]:
        await self._asked("watermarks")
        stream = self._stream(bucket)
        ended = {tier.name: align_down(self.now, tier.window) for tier in stream.tiers.rollups}
        return ended | self.complete

    async def alerts(self, bucket: str) -> Mapping[AlertKey, AlertRecord]:
        await self._asked("alerts")
        return self.records.get(bucket, {})

    async def evaluated(self, bucket: str) -> int:
        await self._asked("evaluated")
        return self.evaluations.get(bucket, 0)

    async def latest(self, bucket: str, measurements: frozenset[str], hosts: frozenset[str]) -> list[Latest]:
        await self._asked("latest")
        by_key: dict[SeriesKey, list[Point]] = {}
        for point in sorted(self.points[bucket], key=lambda item: item.time):
            if (not measurements or point.measurement in measurements) and (
                not hosts or tag(point.tags, "host") in hosts
            ):
                by_key.setdefault(point.key, []).append(point)
        return [
            Latest(points[-1], points[-2] if len(points) > 1 else None)
            for points in by_key.values()
            if points[-1].time >= self.now - 3600
        ]

    async def read(self, query: RangeQuery) -> list[Column]:
        await self._asked("read")
        self.queries.append(query)
        window = max(1, query.tier.window)
        assert query.step % window == 0, "a step is a whole number of windows"
        marks = await self.watermarks(query.bucket)
        end = query.stop if query.tier.window == 0 else min(query.stop, marks[query.tier.name])
        by_key: dict[SeriesKey, list[Point]] = {}
        for point in sorted(self.points[query.bucket], key=lambda item: item.time):
            held = point.measurement == query.measurement and (
                query.tier.retention == 0 or point.time >= self.now - query.tier.retention
            )
            if held and all(tag(point.tags, name) in values for name, values in query.tags.items()):
                by_key.setdefault(point.key, []).append(point)
        columns = []
        for key in sorted(by_key):
            for field in sorted(query.fields):
                samples = [
                    Sample(point.time, float(point.fields[field])) for point in by_key[key] if field in point.fields
                ]
                column = self._column(query, key, field, samples, window, end)
                if column.t:
                    columns.append(column)
        return columns

    def _column(
        self, query: RangeQuery, key: SeriesKey, field: str, samples: list[Sample], window: int, end: int
    ) -> Column:
        kind = CATALOGUE[query.measurement].by_name[field].kind
        gap = self._stream(query.bucket).tiers.counter_gap
        samples = [sample for sample in samples if sample.time < end]
        found: Mapping[int, GaugeRollup | CounterRollup] = (
            counter_windows(samples, window, gap) if kind is Kind.COUNTER else gauge_windows(samples, window)
        )
        steps: dict[int, list[GaugeRollup | CounterRollup]] = {}
        for start in sorted(found):
            if query.start <= start < end:
                steps.setdefault(align_down(start, query.step), []).append(found[start])
        last = {align_down(sample.time, query.step): sample.value for sample in samples if sample.time >= query.start}
        t, v, n = [], [], []
        for start, parts in steps.items():
            value, weight = _value(query.aggregate, parts, last[start], kind)
            if weight:
                t.append(start)
                v.append(value)
                n.append(weight)
        return Column(key, field, t, v, n)

    def _stream(self, bucket: str) -> Stream:
        return next(stream for stream in self.held if stream.bucket == bucket)


def _value(aggregate: Aggregate, parts: Iterable, last: float, kind: Kind) -> tuple[float, float]:
    if kind is Kind.COUNTER:
        counter = merge_counters(parts)
        if aggregate is Aggregate.RATE:
            return (counter.increase / counter.seconds if counter.seconds else 0.0), counter.seconds
        return {Aggregate.LAST: last, Aggregate.INCREASE: counter.increase}[aggregate], 1
    gauge = merge_gauges(parts)
    value = {
        Aggregate.MEAN: gauge.mean,
        Aggregate.MIN: gauge.min,
        Aggregate.MAX: gauge.max,
        Aggregate.COUNT: float(gauge.samples),
        Aggregate.LAST: last,
    }[aggregate]
    return value, gauge.samples
