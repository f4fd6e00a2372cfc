"""The embedded store does what the oracle does, after any sequence of events."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.contracts.reference_store import ReferenceStore
from tests.contracts.store_contract import Clock, assert_same_columns, memory_directory, roll

from nodetide_core.points import Point, make_tags
from nodetide_core.store import Aggregate, RangeQuery, Stream
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.tiers import RAW, Tier, Tiers

#: The default tiers at a thousandth of their size, so that every path is walked in a few steps.
FULL = Tiers((Tier(RAW, 0, 40), Tier("5s", 5, 90), Tier("15s", 15, 200), Tier("60s", 60, 0)), counter_gap=7)
LESS = Tiers((FULL.raw, FULL.tiers[1], FULL.tiers[3]), counter_gap=7)
#: The raw points outlive their first tier.
ODD = Tiers((Tier(RAW, 0, 300), Tier("10s", 10, 60), Tier("20s", 20, 80)), counter_gap=25)
ALONE = Tiers((Tier(RAW, 0, 100),), counter_gap=5)
STREAMS = (Stream("p", "less", LESS), Stream("q", "odd", ODD), Stream("r", "alone", ALONE))

GAUGES = ("load1", "load5")
COUNTERS = ("context_switches", "interrupts")
HOSTS = ("a", "b", "c")

_points = st.tuples(
    st.integers(-60, 5) | st.integers(-400, 0),
    st.sampled_from(HOSTS),
    st.dictionaries(st.sampled_from(GAUGES), st.integers(0, 10_000).map(lambda n: n / 100) | st.floats(0, 1e6))
    | st.dictionaries(st.sampled_from(COUNTERS), st.integers(0, 50) | st.integers(0, 2**50)),
)


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(dir=memory_directory()))
        self.clock = Clock(20_000 * 86_400 + 7)
        self.reference = ReferenceStore(self.clock)
        self.generation = 0
        self.loop = asyncio.new_event_loop()
        self.store = self.open(self.directory / "0")
        self.streams = {stream.bucket: stream for stream in STREAMS}
        for store in (self.reference, self.store):
            store.ensure(STREAMS)

    def open(self, directory: Path) -> EmbeddedStore:
        return EmbeddedStore.open(directory, clock=self.clock, block_seconds=20)

    @rule(bucket=st.sampled_from([s.bucket for s in STREAMS]), batch=st.lists(_points, min_size=1, max_size=15))
    def write(self, bucket, batch):
        points = [
            Point(
                "system" if set(fields) & set(GAUGES) else "kernel",
                make_tags({"host": host}),
                fields,
                self.clock.now + at,
            )
            for at, host, fields in batch
        ]
        assert self.store.write(bucket, points) == self.reference.write(bucket, points)

    @rule(bucket=st.sampled_from([s.bucket for s in STREAMS]), seconds=st.integers(2, 40), start=st.integers(0, 1000))
    def write_steadily(self, bucket, seconds, start):
        """What a collector does: every second, and now and then a series more."""
        for second in range(seconds):
            self.clock.now += 1
            tags = make_tags({"host": "a"})
            points = [Point("kernel", tags, {"context_switches": start + 3 * second}, self.clock.now)]
            if second % 5 == 0:
                points.append(Point("system", tags, {"load1": start / 7 + second}, self.clock.now))
            assert self.store.write(bucket, points) == self.reference.write(bucket, points)

    @rule(seconds=st.integers(1, 30) | st.integers(1, 500))
    def time_passes(self, seconds):
        self.clock.now += seconds

    @rule()
    def upkeep(self):
        for store in (self.store, self.reference):
            roll(store, self.clock.now)
        self.compare_tiers()

    @rule()
    def reopen(self):
        self.store.close()
        self.store = self.open(self.directory / str(self.generation))

    @rule()
    def die_and_reopen(self):
        """As after kill -9: what is on disk at this moment, and nothing else."""
        old = self.directory / str(self.generation)
        self.generation += 1
        new = self.directory / str(self.generation)
        new.mkdir()
        for name in ("nodetide.db", "nodetide.db-wal"):
            shutil.copy(old / name, new / name)
        self.store.close()
        shutil.rmtree(old)
        self.store = self.open(new)

    @precondition(lambda self: self.streams["less"].tiers == LESS)
    @rule()
    def put_a_tier_in(self):
        self.streams["less"] = Stream("p", "less", FULL)
        for store in (self.store, self.reference):
            store.ensure([self.streams["less"]])

    @precondition(lambda self: self.streams["less"].tiers == FULL)
    @rule()
    def take_a_tier_out(self):
        self.streams["less"] = Stream("p", "less", LESS)
        for store in (self.store, self.reference):
            store.ensure([replace(self.streams["less"], allow_data_loss=True)])

    @rule(retention=st.integers(20, 200))
    def keep_raw_points_for_another_time(self, retention):
        raw = replace(ALONE.raw, retention=retention)
        self.streams["alone"] = Stream("r", "alone", Tiers((raw,), ALONE.counter_gap))
        for store in (self.store, self.reference):
            store.ensure([replace(self.streams["alone"], allow_data_loss=True)])

    @invariant()
    def latest_and_hosts_agree(self):
        for bucket in self.streams:
            mine, theirs = (
                self.loop.run_until_complete(s.latest(bucket, frozenset(), frozenset()))
                for s in (self.store, self.reference)
            )
            assert mine == theirs
            assert self.loop.run_until_complete(self.store.hosts(bucket)) == self.loop.run_until_complete(
                self.reference.hosts(bucket)
            )

    @invariant()
    def raw_points_agree(self):
        for stream in self.streams.values():
            raw = stream.tiers.raw
            for step in (1, 7):
                self.compare(stream, raw, self.clock.now - raw.retention, step)

    def compare_tiers(self):
        for bucket, stream in self.streams.items():
            assert self.loop.run_until_complete(self.store.watermarks(bucket)) == self.loop.run_until_complete(
                self.reference.watermarks(bucket)
            )
            for tier in stream.tiers.rollups:
                self.compare(stream, tier, 0, tier.window)
                self.compare(stream, tier, self.clock.now - 100, 2 * tier.window)

    def compare(self, stream, tier, start, step):
        for measurement, fields, aggregates in (
            ("system", GAUGES, (Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.LAST, Aggregate.COUNT)),
            ("kernel", COUNTERS, (Aggregate.RATE, Aggregate.INCREASE, Aggregate.LAST)),
        ):
            for aggregate in aggregates:
                query = RangeQuery(
                    stream.bucket, tier, measurement, fields, max(0, start), self.clock.now + 10, step, aggregate
                )
                mine, theirs = (self.loop.run_until_complete(s.read(query)) for s in (self.store, self.reference))
                assert_same_columns(mine, theirs)

    def teardown(self):
        roll(self.store, self.clock.now)
        roll(self.reference, self.clock.now)
        self.compare_tiers()
        self.store.close()
        self.loop.close()
        shutil.rmtree(self.directory)


TestStoreMachine = pytest.mark.slow(StoreMachine.TestCase)
TestStoreMachine.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
