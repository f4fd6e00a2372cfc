"""What every store must do.  A store's tests subclass `StoreContract` and say how to make one.

Nothing here knows an engine: means are compared within 1e-12, only answers are looked at, and a
world says whether it lives on a clock of its own.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.frames import merge_columns
from nodetide_core.points import Point, SeriesKey, Tags, make_tags
from nodetide_core.rollup import Sample, counter_windows, gauge_windows, merge_counters, merge_gauges
from nodetide_core.store import Aggregate, Column, RangeQuery, Store, Stream
from nodetide_core.tiers import RAW, Choice, Tier, Tiers, align_down, segments

__all__ = [
    "TIERS",
    "Clock",
    "StoreContract",
    "World",
    "assert_same_columns",
    "columns",
    "gauge",
    "memory_directory",
    "roll",
]

#: Small enough that a few hundred samples fill every tier, and valid for every engine.
TIERS = Tiers((Tier(RAW, 0, 6 * 3_600), Tier("1m", 60, 12 * 3_600), Tier("5m", 300, 0)), counter_gap=60)
HOST = make_tags({"host": "a"})
OTHER = make_tags({"host": "b"})


class Clock:
    """Time that the test moves."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> float:
        return float(self.now)


class World(Protocol):
    """Somewhere a store keeps its data, for one test.

    Attributes:
        epoch: a multiple of one day; tests write from here on.
        clock: what the store takes for now.
    """

    epoch: int
    clock: Clock

    def open(self) -> Store:
        """The store, with whatever was written before; the one opened before is closed first."""


def memory_directory() -> str | None:
    """Where files are in memory, so that thousands of durable writes cost a test little; or None."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def gauge(time: int, value: float, tags: Tags = HOST) -> Point:
    return Point("system", tags, {"load1": value}, time)


def counter(time: int, value: int, tags: Tags = HOST) -> Point:
    return Point("kernel", tags, {"context_switches": value}, time)


def roll(store: Store, now: int) -> None:
    """Upkeep until nothing is left to do."""
    for _ in range(10_000):
        if not store.rollup(now).remaining:
            return
    raise AssertionError("upkeep does not come to an end")


def columns(
    store: Store,
    tier: Tier,
    field: str,
    aggregate: Aggregate,
    start: int,
    stop: int,
    *,
    step: int | None = None,
    bucket: str = "b",
    tags: Mapping[str, frozenset[str]] | None = None,
) -> list[Column]:
    measurement, _, name = field.partition(".")
    query = RangeQuery(
        bucket, tier, measurement, (name,), start, stop, step or max(1, tier.window), aggregate, tags or {}
    )
    return asyncio.run(store.read(query))


def assert_same_columns(found: Sequence[Column], expected: Sequence[Column], *, scale: float = 0.0) -> None:
    """Equal but for rounding: relative to the value, or to ``scale`` where sums cancel."""
    assert [(c.key, c.field) for c in found] == [(c.key, c.field) for c in expected]
    for a, b in zip(found, expected, strict=True):
        assert list(a.t) == list(b.t), (a.key, a.field)
        assert list(a.n) == list(b.n), (a.key, a.field)
        for time, x, y in zip(a.t, a.v, b.v, strict=True):
            assert math.isclose(x, y, rel_tol=1e-12, abs_tol=1e-12 * scale), (a.key, a.field, time, x, y)


def _values(found: Sequence[Column]) -> dict[int, Any]:
    assert len(found) <= 1
    return dict(zip(found[0].t, found[0].v, strict=True)) if found else {}


def _windows(samples: Mapping[int, Any], kind: str, tier: Tier) -> dict[int, Any]:
    """What a tier of `TIERS` holds, by the definition."""
    ordered = [Sample(time, value) for time, value in sorted(samples.items())]
    first = TIERS.rollups[0].window
    made: dict[int, Any] = (
        dict(gauge_windows(ordered, first))
        if kind == "gauge"
        else dict(counter_windows(ordered, first, TIERS.counter_gap))
    )
    groups: dict[int, list[Any]] = {}
    for start, part in sorted(made.items()):
        groups.setdefault(align_down(start, tier.window), []).append(part)
    return {start: merge_gauges(p) if kind == "gauge" else merge_counters(p) for start, p in groups.items()}


def _assert_tiers(store: Store, epoch: int, gauges: Mapping[int, float], counts: Mapping[int, int]) -> None:
    """Every tier, up to its watermark, is what the definitions say of these samples."""
    watermarks = asyncio.run(store.watermarks("b"))
    stop = epoch + 86_400
    for tier in TIERS.rollups:
        made = {at: w for at, w in _windows(gauges, "gauge", tier).items() if at < watermarks.get(tier.name, 0)}
        for aggregate, pick in (
            (Aggregate.MEAN, lambda w: w.mean),
            (Aggregate.MIN, lambda w: w.min),
            (Aggregate.MAX, lambda w: w.max),
            (Aggregate.COUNT, lambda w: w[3]),
        ):
            found = _values(columns(store, tier, "system.load1", aggregate, epoch, stop))
            assert found == pytest.approx({at: pick(w) for at, w in made.items()}, rel=1e-12), (tier.name, aggregate)
        grown = {at: w for at, w in _windows(counts, "counter", tier).items() if at < watermarks.get(tier.name, 0)}
        for aggregate, pick in ((Aggregate.LAST, lambda w: w.last), (Aggregate.INCREASE, lambda w: w.increase)):
            found = _values(columns(store, tier, "kernel.context_switches", aggregate, epoch, stop))
            assert found == {at: pick(w) for at, w in grown.items()}, (tier.name, aggregate)
        rates = {at: w.increase / w.seconds for at, w in grown.items() if w.seconds}
        found = _values(columns(store, tier, "kernel.context_switches", Aggregate.RATE, epoch, stop))
        assert found == pytest.approx(rates, rel=1e-12), tier.name


_offsets = st.integers(0, 1_500)
_gauges = st.dictionaries(_offsets, st.floats(0, 1e9, allow_nan=False), max_size=60)
_counts = st.dictionaries(_offsets, st.integers(0, 10**12), max_size=60)
_PROPERTY = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


class StoreContract:
    """Subclass, set ``world``, and every test runs against that store."""

    world: Callable[[], AbstractContextManager[World]]

    def _ready(self, world: World, tiers: Tiers = TIERS) -> Store:
        store = world.open()
        store.ensure([Stream("p", "b", tiers)])
        return store

    # Samples

    def test_samples_come_back_as_they_were_written(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            world.clock.now = t + 60
            points = [gauge(t + at, 0.1 * at) for at in range(50)] + [counter(t + at, 10**15 + at) for at in range(50)]
            assert store.write("b", points).written == 100
            raw = TIERS.raw
            load = _values(columns(store, raw, "system.load1", Aggregate.LAST, t, t + 100))
            assert load == {t + at: 0.1 * at for at in range(50)}
            switches = _values(columns(store, raw, "kernel.context_switches", Aggregate.LAST, t, t + 100))
            assert switches == {t + at: 10**15 + at for at in range(50)}

    def test_a_range_is_half_open(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            world.clock.now = t + 60
            store.write("b", [gauge(t + at, at) for at in range(20)])
            found = _values(columns(store, TIERS.raw, "system.load1", Aggregate.LAST, t + 5, t + 8))
            assert found == {t + 5: 5, t + 6: 6, t + 7: 7}

    def test_columns_are_in_order_and_chosen_by_tags_and_fields(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            world.clock.now = t + 60
            series = [make_tags({"host": host, "cpu": cpu}) for host in "ba" for cpu in ("cpu1", "cpu-total")]
            points = [Point("cpu", tags, {"usage_user": 1.0, "usage_idle": 2.0}, t) for tags in series]
            store.write("b", points)
            query = RangeQuery("b", TIERS.raw, "cpu", ("usage_user", "usage_idle"), t, t + 1, 1, Aggregate.LAST)
            found = [(c.key, c.field) for c in asyncio.run(store.read(query))]
            assert found == sorted((SeriesKey("cpu", tags), f) for tags in series for f in query.fields)
            only = replace(query, fields=("usage_idle",), tags={"cpu": frozenset({"cpu1"}), "host": frozenset("ab")})
            assert [c.key.tags for c in asyncio.run(store.read(only))] == sorted(
                s for s in series if ("cpu", "cpu1") in s
            )
            nobody = replace(query, tags={"rack": frozenset({"7"})})
            assert asyncio.run(store.read(nobody)) == []

    def test_the_same_series_and_time_overwrites_field_by_field(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            world.clock.now = t + 60
            store.write("b", [Point("system", HOST, {"load1": 1.0, "load5": 5.0}, t)])
            store.write("b", [Point("system", HOST, {"load1": 2.0, "load15": 15.0}, t), gauge(t, 3.0)])
            for field, value in (("load1", 3.0), ("load5", 5.0), ("load15", 15.0)):
                assert _values(columns(store, TIERS.raw, f"system.{field}", Aggregate.LAST, t, t + 1)) == {t: value}

    def test_steps_of_raw_points_are_what_the_definitions_say(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            world.clock.now = t + 400
            gauges = {at: math.sin(at) + 2 for at in range(0, 300, 7)}
            counts = {at: 5 * at if at < 150 else at for at in range(0, 300, 7) if not 70 < at < 140}
            store.write("b", [gauge(t + at, value) for at, value in gauges.items()])
            store.write("b", [counter(t + at, value) for at, value in counts.items()])
            made = gauge_windows([Sample(t + at, v) for at, v in gauges.items()], 20)
            for aggregate, pick in ((Aggregate.MEAN, 0), (Aggregate.MIN, 1), (Aggregate.MAX, 2), (Aggregate.COUNT, 3)):
                found = _values(columns(store, TIERS.raw, "system.load1", aggregate, t, t + 300, step=20))
                assert found == pytest.approx({at: w[pick] for at, w in made.items()}, rel=1e-12)
            grown = counter_windows([Sample(t + at, v) for at, v in counts.items()], 20, TIERS.counter_gap)
            found = _values(columns(store, TIERS.raw, "kernel.context_switches", Aggregate.RATE, t, t + 300, step=20))
            assert found == pytest.approx({at: w.increase / w.seconds for at, w in grown.items() if w.seconds})
            # A range that starts inside a step: its first sample still grows from the one before.
            inside = _values(
                columns(store, TIERS.raw, "kernel.context_switches", Aggregate.INCREASE, t + 30, t + 40, step=20)
            )
            assert inside == {t + 20: 35}

    # Tiers

    @_PROPERTY
    @given(_gauges, _counts, st.randoms(use_true_random=False))
    def test_tiers_are_what_the_definitions_say_of_the_raw_points(self, gauges, counts, random):
        """Gaps, resets, late and repeated points, in any order and any batches, upkeep in between."""
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            gauges = {t + at: value for at, value in gauges.items()}
            counts = {t + at: value for at, value in counts.items()}
            points = [gauge(at, v) for at, v in gauges.items()] + [counter(at, v) for at, v in counts.items()]
            points += [gauge(at, -1.0) for at in list(gauges)[::5]]
            random.shuffle(points)
            world.clock.now = t + 1_600
            # What comes last counts.
            gauges.update({point.time: point.fields["load1"] for point in points if "load1" in point.fields})
            while points:
                size = random.randint(1, 40)
                batch, points = points[:size], points[size:]
                assert store.write("b", batch).rejected == ()
                if random.random() < 0.4:
                    world.clock.now = max(world.clock.now, t + 1_600 + random.randint(0, 900))
                    roll(store, world.clock.now)
                if random.random() < 0.2:
                    store = world.open()
            world.clock.now = t + 3_000
            roll(store, world.clock.now)
            _assert_tiers(store, t, gauges, counts)
            store.close()

    def test_a_late_point_is_rolled_up_again_in_every_tier(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            world.clock.now = t + 1_200
            gauges = {t + at: 1.0 for at in range(0, 900, 10)}
            store.write("b", [gauge(at, value) for at, value in gauges.items()])
            roll(store, world.clock.now)
            late = {t + 13: 100.0, t + 601: 0.0}
            store.write("b", [gauge(at, value) for at, value in late.items()])
            roll(store, world.clock.now)
            _assert_tiers(store, t, {**gauges, **late}, {})

    def test_a_late_point_changes_the_step_after_it_even_in_the_next_window(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            world.clock.now = t + 1_200
            counts = {t + 40: 10, t + 290: 20, t + 310: 50, t + 700: 60}
            store.write("b", [counter(at, value) for at, value in counts.items()])
            roll(store, world.clock.now)
            # A reset that nobody had seen: the step at 310 was 30, and is 49 now.
            late = {t + 299: 1}
            store.write("b", [counter(at, value) for at, value in late.items()])
            roll(store, world.clock.now)
            _assert_tiers(store, t, {}, {**counts, **late})

    def test_downtime_is_caught_up_with_in_bounded_calls(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            gauges, counts = {}, {}
            for hour in range(4):
                world.clock.now = t + 3_600 * hour + 900
                new = {t + 3_600 * hour + at: float(at) for at in range(0, 900, 30)}
                gauges.update(new)
                counts.update({at: int(value) for at, value in new.items()})
                store.write("b", [gauge(at, value) for at, value in new.items()])
                store.write("b", [counter(at, int(value)) for at, value in new.items()])
                store = world.open()
            world.clock.now = t + 5 * 3_600
            roll(store, world.clock.now)
            assert asyncio.run(store.watermarks("b"))["1m"] >= t + 3 * 3_600 + 900
            _assert_tiers(store, t, gauges, counts)

    def test_reopening_in_the_middle_of_a_window_loses_nothing(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            counts = {t + at: 3 * at for at in range(0, 400, 7)}
            for at, value in counts.items():
                world.clock.now = at
                store.write("b", [counter(at, value)])
                if at % 5 == 0:
                    roll(store, at)
                    store = world.open()
            world.clock.now = t + 1_000
            roll(store, world.clock.now)
            _assert_tiers(store, t, {}, counts)

    def test_an_answer_put_together_from_several_tiers_equals_the_raw_one(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            world.clock.now = t + 1_000
            store.write("b", [gauge(t + at, at % 17) for at in range(0, 1_000, 3)])
            store.write("b", [counter(t + at, at * at) for at in range(0, 1_000, 3)])
            roll(store, world.clock.now)
            watermarks = asyncio.run(store.watermarks("b"))
            parts = segments(TIERS, Choice(TIERS.tiers[2], 300), t, t + 1_000, watermarks)
            assert len(parts) > 1
            for field, aggregate in (("system.load1", Aggregate.MEAN), ("kernel.context_switches", Aggregate.RATE)):
                found = merge_columns(
                    (columns(store, part.tier, field, aggregate, part.start, part.stop, step=300) for part in parts),
                    aggregate,
                )
                assert_same_columns(found, columns(store, TIERS.raw, field, aggregate, t, t + 1_000, step=300))

    def test_a_tier_put_in_later_is_filled_from_its_source(self):
        with self.world() as world:
            store, t = self._ready(world, Tiers((TIERS.raw, TIERS.tiers[2]), counter_gap=60)), world.epoch
            world.clock.now = t + 1_500
            gauges = {t + at: float(at) for at in range(0, 1_200, 10)}
            counts = {at: int(value) for at, value in gauges.items()}
            store.write("b", [gauge(at, value) for at, value in gauges.items()])
            store.write("b", [counter(at, value) for at, value in counts.items()])
            roll(store, world.clock.now)
            store.ensure([Stream("p", "b", TIERS)])
            roll(store, world.clock.now)
            store.write("b", [gauge(t + 5, 1_000.0)])
            roll(store, world.clock.now)
            _assert_tiers(store, t, {**gauges, t + 5: 1_000.0}, counts)

    # Streams and what is refused

    def test_streams_are_kept_apart_and_told(self):
        with self.world() as world:
            store, t = world.open(), world.epoch
            streams = [Stream("p", "b", TIERS), Stream("q", "c", Tiers((TIERS.raw,)), interval=10)]
            store.ensure(streams)
            store.ensure(streams[:1])
            world.clock.now = t + 60
            store.write("b", [gauge(t, 1.0)])
            store.write("c", [gauge(t, 2.0)])
            store = world.open()
            assert sorted(asyncio.run(store.streams()), key=lambda s: s.bucket) == streams
            assert _values(columns(store, TIERS.raw, "system.load1", Aggregate.LAST, t, t + 9, bucket="b")) == {t: 1.0}
            assert _values(columns(store, TIERS.raw, "system.load1", Aggregate.LAST, t, t + 9, bucket="c")) == {t: 2.0}

    def test_losing_data_by_a_new_definition_must_be_allowed(self):
        with self.world() as world:
            store = self._ready(world)
            raw, minute, five = TIERS.tiers
            shorter = Tiers((replace(raw, retention=3_600), minute, five), counter_gap=60)
            fewer = Tiers((raw, five), counter_gap=60)
            finite = Tiers((raw, minute, replace(five, retention=86_400)), counter_gap=60)
            for tiers in (shorter, fewer, finite):
                with pytest.raises(StoreRejected, match="b"):
                    store.ensure([Stream("p", "b", tiers)])
                assert asyncio.run(store.streams()) == [Stream("p", "b", TIERS)]
            longer = Tiers((replace(raw, retention=0), minute, five), counter_gap=60)
            store.ensure([Stream("p", "b", longer)])
            store.ensure([Stream("p", "b", shorter, allow_data_loss=True)])
            store.ensure([Stream("p", "b", Tiers((raw, minute), counter_gap=60), allow_data_loss=True)])
            assert [tier.name for tier in asyncio.run(store.streams())[0].tiers.tiers] == ["raw", "1m"]

    def test_what_is_refused_is_counted_and_the_rest_is_taken(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            world.clock.now = t + 60
            report = store.write(
                "b",
                [
                    gauge(t, 1.0),
                    Point("systen", HOST, {"load1": 1.0}, t),
                    Point("system", HOST, {"load2": 1.0}, t),
                    Point("system", HOST, {"load1": "high"}, t),
                    Point("system", HOST, {"load1": math.nan}, t + 1),
                    Point("system", HOST, {"load1": math.inf}, t + 1),
                    Point("kernel", HOST, {"context_switches": 0.5}, t),
                    Point("kernel", HOST, {"context_switches": 2**63}, t),
                    Point("system", HOST, {}, t),
                    gauge(world.clock.now + 3_601, 1.0),
                    gauge(world.clock.now - TIERS.raw.retention - 1, 1.0),
                    gauge(t + 2, 2),
                ],
            )
            assert report.written == 2
            assert sum(rejected.count for rejected in report.rejected) == 10
            assert all(rejected.reason for rejected in report.rejected)
            assert _values(columns(store, TIERS.raw, "system.load1", Aggregate.LAST, t, t + 9)) == {t: 1.0, t + 2: 2.0}

    def test_a_bucket_or_query_that_makes_no_sense_is_rejected(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            with pytest.raises(StoreRejected, match="nobody"):
                store.write("nobody", [gauge(t, 1.0)])
            query = RangeQuery("b", TIERS.tiers[1], "system", ("load1",), t, t + 600, 60, Aggregate.MEAN)
            assert asyncio.run(store.read(query)) == []
            for wrong in (
                replace(query, step=61),
                replace(query, step=0),
                replace(query, fields=("load2",)),
                replace(query, aggregate=Aggregate.RATE),
                replace(query, measurement="kernel", fields=("context_switches",)),
                replace(query, measurement="collector", fields=("policy_hash",)),
                replace(query, bucket="nobody"),
                replace(query, tier=Tier("7m", 420, 0), step=420),
            ):
                with pytest.raises(StoreRejected):
                    asyncio.run(store.read(wrong))

    # What is newest

    def test_latest_gives_the_newest_two_points_of_each_series(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            world.clock.now = t + 100
            store.write("b", [gauge(t + at, at, tags) for at in range(0, 90, 10) for tags in (HOST, OTHER)])
            store.write("b", [gauge(t + 85, 85), gauge(t + 3, 3), gauge(t + 82, 82), counter(t + 99, 7)])
            store.write("b", [Point("system", HOST, {"load5": 5.0}, t + 85)])
            for _ in range(2):
                found = asyncio.run(store.latest("b", frozenset(), frozenset()))
                assert [(item.point.key, item.point.time) for item in found] == [
                    (SeriesKey("kernel", HOST), t + 99),
                    (SeriesKey("system", HOST), t + 85),
                    (SeriesKey("system", OTHER), t + 80),
                ]
                assert [item.previous and item.previous.time for item in found] == [None, t + 82, t + 70]
                assert found[1].point.fields == {"load1": 85.0, "load5": 5.0}
                assert asyncio.run(store.latest("b", frozenset({"system"}), frozenset({"b"}))) == found[2:]
                store = world.open()

    def test_latest_forgets_what_is_an_hour_old_and_does_not_bridge_gaps(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            world.clock.now = t + 100
            store.write("b", [gauge(t, 1.0), gauge(t + 61, 2.0), gauge(t, 1.0, OTHER), gauge(t + 60, 2.0, OTHER)])
            found = asyncio.run(store.latest("b", frozenset(), frozenset()))
            assert [item.previous and item.previous.time for item in found] == [None, t]
            world.clock.now = t + 61 + 3_600
            assert len(asyncio.run(store.latest("b", frozenset(), frozenset()))) == 1
            world.clock.now += 1
            assert asyncio.run(store.latest("b", frozenset(), frozenset())) == []

    def test_text_is_kept_with_the_newest_point(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            world.clock.now = t + 10
            tags = make_tags({"host": "a", "group": "all"})
            for at, text in ((0, "ab"), (1, 'c"é\n')):
                store.write("b", [Point("collector", tags, {"policy_hash": text, "success": 1}, t + at)])
            for _ in range(2):
                (found,) = asyncio.run(store.latest("b", frozenset({"collector"}), frozenset()))
                assert found.point.fields == {"policy_hash": 'c"é\n', "success": 1}
                assert found.previous is not None
                assert found.previous.fields["policy_hash"] == "ab"
                store = world.open()

    def test_hosts_are_told_with_their_newest_time(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            world.clock.now = t + 100
            store.write("b", [gauge(t + 9, 1.0), gauge(t + 3, 1.0), gauge(t + 5, 1.0, OTHER)])
            assert asyncio.run(store.hosts("b")) == {"a": t + 9, "b": t + 5}

    def test_watermarks_never_pass_what_is_complete(self):
        with self.world() as world:
            store, t = self._ready(world), world.epoch
            assert asyncio.run(store.watermarks("b")) == {}
            for at in range(0, 700, 50):
                world.clock.now = t + at
                store.write("b", [gauge(t + at, 1.0)])
                roll(store, world.clock.now)
                for name, watermark in asyncio.run(store.watermarks("b")).items():
                    tier = TIERS.by_name(name)
                    assert tier is not None
                    assert watermark % tier.window == 0
                    assert watermark <= t + at

    def test_ready_reads_and_a_closed_store_says_so(self):
        with self.world() as world:
            store = self._ready(world)
            asyncio.run(store.ready())
            store.close()
            store.close()
            with pytest.raises(StoreUnavailable):
                asyncio.run(store.ready())
            with pytest.raises(StoreUnavailable):
                store.write("b", [gauge(world.epoch, 1.0)])
