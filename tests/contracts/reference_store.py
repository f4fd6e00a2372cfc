"""The oracle: a store that keeps every raw point for ever and computes each answer from scratch,
straight from the definitions in `nodetide_core.rollup` and `nodetide_core.stores.retention`.

Slow and obvious on purpose.  What it forgets, it only hides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nodetide_core.catalogue import CATALOGUE, Kind
from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.points import Point, SeriesKey, tag
from nodetide_core.rollup import (
    SETTLE,
    CounterRollup,
    GaugeRollup,
    Sample,
    counter_windows,
    gauge_windows,
    merge_counters,
    merge_gauges,
)
from nodetide_core.store import Aggregate, Column, Latest, RangeQuery, Rejected, RollupReport, Stream, WriteReport
from nodetide_core.stores.admission import Refused, admit, refuse_time
from nodetide_core.stores.retention import due_edge, first_whole_window, oldest_accepted
from nodetide_core.tiers import Tier, align_down

__all__ = ["ReferenceStore"]

_HOUR = 3_600


class _Kept:
    """One stream: every value ever taken, by series and field and time."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.values: dict[tuple[SeriesKey, str], dict[int, Any]] = {}
        self.watermarks: dict[str, int] = {}
        self.edges: dict[str, int] = {}

    def times(self) -> set[int]:
        return {time for column in self.values.values() for time in column}

    def visible(self, tier: Tier) -> tuple[int, float]:
        stop = self.watermarks.get(tier.name, 0) if tier.window else float("inf")
        return self.edges.get(tier.name, 0), stop


class ReferenceStore:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._streams: dict[str, _Kept] = {}
        self._closed = False

    def reopen(self) -> None:
        self._closed = False

    def ensure(self, streams: Sequence[Stream]) -> None:
        for wanted in streams:
            kept = self._streams.get(wanted.bucket)
            if kept is not None and not wanted.allow_data_loss:
                for tier in kept.stream.tiers.tiers:
                    new = next((other for other in wanted.tiers.tiers if other.window == tier.window), None)
                    if new is None or (new.retention and not tier.retention) or 0 < new.retention < tier.retention:
                        raise StoreRejected(f"{wanted.bucket}: {tier.name} would lose data")
        for wanted in streams:
            kept = self._streams.setdefault(wanted.bucket, _Kept(wanted))
            windows = {tier.window for tier in kept.stream.tiers.tiers}
            for tier in kept.stream.tiers.tiers:
                if tier.window not in {other.window for other in wanted.tiers.tiers}:
                    kept.watermarks.pop(tier.name, None)
                    kept.edges.pop(tier.name, None)
            kept.stream = wanted
            for tier in wanted.tiers.rollups:
                source = wanted.tiers.source(tier)
                if tier.window not in windows and source.name in kept.edges:
                    start = first_whole_window(wanted.tiers, source, tier.window, kept.edges[source.name])
                    kept.watermarks[tier.name] = kept.edges[tier.name] = start

    def write(self, bucket: str, points: Sequence[Point]) -> WriteReport:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        kept = self._kept(bucket)
        now = int(self._clock())
        oldest = oldest_accepted(kept.stream.tiers, now, kept.edges)
        refused: Counter[str] = Counter()
        written = 0
        for point in points:
            reason = refuse_time(point.time, now, oldest)
            try:
                fields = admit(point, CATALOGUE)
            except Refused as refusal:
                reason = reason or str(refusal)
            if reason is not None:
                refused[reason] += 1
                continue
            for name, value in fields.items():
                kept.values.setdefault((point.key, name), {})[point.time] = value
            written += 1
        return WriteReport(written, tuple(Rejected(reason, count) for reason, count in sorted(refused.items())))

    def rollup(self, now: int) -> RollupReport:
        for kept in self._streams.values():
            tiers = kept.stream.tiers
            done: int | None = now - SETTLE
            for tier in tiers.rollups:
                target = None if done is None else align_down(done, tier.window)
                first = min((align_down(time, tier.window) for time in kept.times()), default=None)
                if target is not None and first is not None and (tier.name in kept.watermarks or first < target):
                    kept.watermarks[tier.name] = max(target, kept.watermarks.get(tier.name, 0))
                done = kept.watermarks.get(tier.name)
            for index, tier in enumerate(tiers.tiers):
                wider = tiers.tiers[index + 1] if index + 1 < len(tiers.tiers) else None
                rolled = kept.watermarks.get(wider.name) if wider else None
                edge = due_edge(tiers, tier, now, rolled=rolled, pending=None)
                if edge is not None and edge > kept.edges.get(tier.name, 0):
                    kept.edges[tier.name] = edge
        return RollupReport()

    def close(self) -> None:
        self._closed = True

    async def streams(self) -> Sequence[Stream]:
        return [self._streams[bucket].stream for bucket in sorted(self._streams)]

    async def read(self, query: RangeQuery) -> list[Column]:
        kept = self._kept(query.bucket)
        tier = kept.stream.tiers.by_name(query.tier.name)
        if tier is None or tier.window != query.tier.window or query.step < 1 or query.step % max(1, tier.window):
            raise StoreRejected("no such tier or step")
        columns = []
        for key, field in sorted(kept.values):
            if key.measurement != query.measurement or field not in query.fields:
                continue
            if any(tag(key.tags, name) not in allowed for name, allowed in query.tags.items()):
                continue
            steps = self._steps(kept, key, field, tier, query)
            if steps:
                t, v, n = zip(*steps, strict=True)
                columns.append(Column(key, field, t, v, n))
        self._check(query)
        return columns

    def _check(self, query: RangeQuery) -> None:
        gauge = {Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.LAST, Aggregate.COUNT}
        counter = {Aggregate.RATE, Aggregate.INCREASE, Aggregate.LAST}
        for name in query.fields:
            field = CATALOGUE.field(query.measurement, name)
            if field is None or query.aggregate not in {Kind.GAUGE: gauge, Kind.COUNTER: counter}.get(
                field.kind, set()
            ):
                raise StoreRejected(f"{query.aggregate.value} of {query.measurement}.{name}")

    def _steps(
        self, kept: _Kept, key: SeriesKey, field: str, tier: Tier, query: RangeQuery
    ) -> list[tuple[int, float, float]]:
        low, high = kept.visible(tier)
        low, high = max(low, query.start), min(high, query.stop)
        # One second is the finest window there is: what a sample counts for, alone.
        windows = self._windows(kept, key, field, tier if tier.window else Tier("second", 1, 0))
        groups: dict[int, list[Any]] = {}
        for start, rollup in sorted(windows.items()):
            if low <= start < high:
                groups.setdefault(align_down(start, query.step), []).append(rollup)
        found = []
        for start, parts in groups.items():
            answer = (
                _gauge(query.aggregate, parts) if isinstance(parts[0], GaugeRollup) else _grown(query.aggregate, parts)
            )
            if answer is not None:
                found.append((start, *answer))
        return found

    def _windows(self, kept: _Kept, key: SeriesKey, field: str, tier: Tier) -> Mapping[int, Any]:
        """Every window of a tier, from the raw points, through the tiers between."""
        tiers = kept.stream.tiers
        known = CATALOGUE.field(key.measurement, field)
        if known is None or known.kind is Kind.INFO:
            return {}
        counter = known.kind is Kind.COUNTER
        if tier not in tiers.tiers or tiers.source(tier).window == 0:
            # Windows were made when everything was there; whoever asks for raw points sees what is left.
            since = kept.edges.get(tiers.raw.name, 0) if tier not in tiers.tiers else 0
            samples = [Sample(time, value) for time, value in sorted(kept.values[key, field].items()) if time >= since]
            return (
                counter_windows(samples, tier.window, tiers.counter_gap)
                if counter
                else gauge_windows(samples, tier.window)
            )
        groups: dict[int, list[Any]] = {}
        for start, rollup in sorted(self._windows(kept, key, field, tiers.source(tier)).items()):
            groups.setdefault(align_down(start, tier.window), []).append(rollup)
        merge: Callable[[Any], Any] = merge_counters if counter else merge_gauges
        return {start: merge(parts) for start, parts in groups.items()}

    async def latest(self, bucket: str, measurements: frozenset[str], hosts: frozenset[str]) -> list[Latest]:
        kept = self._kept(bucket)
        now, gap = int(self._clock()), kept.stream.tiers.counter_gap
        found = []
        for key in sorted({key for key, _ in kept.values}):
            if (measurements and key.measurement not in measurements) or (hosts and tag(key.tags, "host") not in hosts):
                continue
            columns = {field: column for (other, field), column in kept.values.items() if other == key}
            times = sorted({time for column in columns.values() for time in column}, reverse=True)[:2]
            points = [
                Point(*key, {field: column[time] for field, column in columns.items() if time in column}, time)
                for time in times
            ]
            edge = kept.edges.get(kept.stream.tiers.raw.name, 0)
            if points[0].time >= max(edge, now - min(_HOUR, kept.stream.tiers.raw.retention or _HOUR)):
                near = len(points) == 2 and points[1].time >= max(edge, points[0].time - gap)
                found.append(Latest(points[0], points[1] if near else None))
        return found

    async def hosts(self, bucket: str) -> Mapping[str, int]:
        kept = self._kept(bucket)
        found: dict[str, int] = {}
        for (key, _), column in kept.values.items():
            host = tag(key.tags, "host")
            last = max(column)
            left = last >= kept.edges.get(kept.stream.tiers.raw.name, 0)
            if host is not None and left and kept.stream.tiers.raw.holds(last, int(self._clock())):
                found[host] = max(found.get(host, 0), last)
        return found

    async def watermarks(self, bucket: str) -> Mapping[str, int]:
        return self._kept(bucket).watermarks

    async def ready(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")

    def _kept(self, bucket: str) -> _Kept:
        if bucket not in self._streams:
            raise StoreRejected(f"no stream has the bucket {bucket!r}")
        return self._streams[bucket]


def _gauge(aggregate: Aggregate, parts: list[GaugeRollup]) -> tuple[float, float]:
    mean, low, high, count = merge_gauges(parts)
    values = {
        Aggregate.MEAN: mean,
        Aggregate.MIN: low,
        Aggregate.MAX: high,
        Aggregate.LAST: parts[-1].mean,
        Aggregate.COUNT: count,
    }
    return values[aggregate], count


def _grown(aggregate: Aggregate, parts: list[CounterRollup]) -> tuple[float, float] | None:
    last, increase, seconds = merge_counters(parts)
    if aggregate is Aggregate.RATE:
        return (increase / seconds, seconds) if seconds else None
    return (last if aggregate is Aggregate.LAST else increase), seconds
