"""Writers, upkeep, readers and closing at the same time."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from pathlib import Path

import pytest
from tests.contracts.store_contract import memory_directory

from nodetide_core.errors import StoreUnavailable
from nodetide_core.points import Point, make_tags
from nodetide_core.rollup import Sample, counter_windows, gauge_windows
from nodetide_core.store import Aggregate, RangeQuery, Stream
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.tiers import RAW, Tier, Tiers

EPOCH = 20_000 * 86_400
TIERS = Tiers((Tier(RAW, 0, 0), Tier("5s", 5, 0), Tier("20s", 20, 0)), counter_gap=5)


@pytest.fixture
def store():
    with tempfile.TemporaryDirectory(dir=memory_directory()) as directory:
        store = EmbeddedStore.open(Path(directory), clock=lambda: EPOCH + 3_600, block_seconds=50)
        store.ensure([Stream("p", "b", TIERS)])
        yield store
        store.close()


def read(store, tier, field, aggregate, host):
    measurement, _, name = field.partition(".")
    step, tags = max(1, tier.window), {"host": frozenset({host})}
    query = RangeQuery("b", tier, measurement, (name,), EPOCH, EPOCH + 10**5, step, aggregate, tags)
    found = asyncio.run(store.read(query))
    return dict(zip(found[0].t, found[0].v, strict=True)) if found else {}


def in_thread(work):
    """Starts it; what it raises comes with `join`."""
    failures = []

    def run():
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def join():
        thread.join()
        if failures:
            raise failures[0]

    return join


def test_points_that_come_while_their_windows_are_made_are_in_them(store):
    """Four writers, each of its own series: two in order, two backwards, so that every window is
    changed while it is rolled up or sealed."""
    done = threading.Event()

    def write(host, times):
        tags = make_tags({"host": host})
        for time in times:
            fields = {"context_switches": (time - EPOCH) ** 2 % 5_000}
            store.write(
                "b", [Point("kernel", tags, fields, time), Point("system", tags, {"load1": time % 83 / 4}, time)]
            )

    def upkeep():
        now = EPOCH
        while not done.is_set():
            now = min(now + 20, EPOCH + 2_500)
            store.rollup(now)

    times = range(EPOCH, EPOCH + 2_000)
    writers = [in_thread(lambda h=h, t=t: write(h, t)) for h, t in zip("abcd", (times, times[::-1]) * 2, strict=True)]
    keeping = in_thread(upkeep)
    for join in writers:
        join()
    done.set()
    keeping()
    while store.rollup(EPOCH + 3_000).remaining:
        pass
    counts = counter_windows([Sample(time, (time - EPOCH) ** 2 % 5_000) for time in times], 5, TIERS.counter_gap)
    means = gauge_windows([Sample(time, time % 83 / 4) for time in times], 5)
    for host in "abcd":
        assert len(read(store, TIERS.raw, "system.load1", Aggregate.LAST, host)) == 2_000
        found = read(store, TIERS.tiers[1], "kernel.context_switches", Aggregate.INCREASE, host)
        assert found == {start: made.increase for start, made in counts.items()}
        found = read(store, TIERS.tiers[1], "system.load1", Aggregate.MEAN, host)
        assert found == {start: made.mean for start, made in means.items()}
        found = read(store, TIERS.tiers[2], "kernel.context_switches", Aggregate.INCREASE, host)
        assert sum(found.values()) == sum(made.increase for made in counts.values())


def fill(store, seconds=5_000):
    tags = make_tags({"host": "a"})
    points = [Point("system", tags, {"load1": at / 7, "load5": at / 9}, EPOCH + at) for at in range(seconds)]
    for at in range(0, seconds, 500):
        store.write("b", points[at : at + 500])


QUERY = RangeQuery("b", TIERS.raw, "system", ("load1", "load5"), EPOCH, EPOCH + 10**5, 1, Aggregate.LAST)


async def test_a_reader_that_leaves_stops_its_query_and_harms_no_other(store):
    fill(store, 3_000)
    for _ in range(20):
        tasks = [asyncio.create_task(store.read(QUERY)) for _ in range(12)]
        await asyncio.sleep(0)
        leaving = [task for task in tasks[::2] if task.cancel()]
        assert leaving
        answers = await asyncio.gather(*(task for task in tasks if task not in leaving))
        assert all([len(column.t) for column in answer] == [3_000, 3_000] for answer in answers)
        await asyncio.gather(*leaving, return_exceptions=True)


async def test_closing_while_everything_runs_is_safe(store):
    fill(store, 2_000)

    def write():
        time = EPOCH + 3_000
        with pytest.raises(StoreUnavailable, match="closed"):
            while True:
                time += 1 if time < EPOCH + 6_000 else 0
                store.write("b", [Point("system", make_tags({"host": "a"}), {"load1": 1.0}, time)])

    def upkeep():
        with pytest.raises(StoreUnavailable, match="closed"):
            while True:
                store.rollup(EPOCH + 4_000)

    joins = [in_thread(write), in_thread(upkeep)]
    reads = [asyncio.create_task(store.read(QUERY)) for _ in range(10)]
    await asyncio.sleep(0.02)
    await asyncio.to_thread(store.close)
    store.close()
    for join in joins:
        join()
    for answer in await asyncio.gather(*reads, return_exceptions=True):
        assert isinstance(answer, (list, StoreUnavailable)), answer
    for ask in (store.read(QUERY), store.latest("b", frozenset(), frozenset()), store.ready(), store.streams()):
        with pytest.raises(StoreUnavailable, match="closed"):
            await ask


async def test_an_answer_is_of_one_moment(store):
    """Sealing moves points from one table to another; no reader sees them twice or not at all."""
    fill(store, 1_000)
    keeping = in_thread(lambda: [store.rollup(EPOCH + at) for at in range(0, 2_000, 61)])
    for _ in range(60):
        for column in await store.read(QUERY):
            assert list(column.t) == list(range(EPOCH, EPOCH + 1_000))
    keeping()


@pytest.mark.parametrize("again", [False, True], ids=["first time", "again"])
def test_a_point_that_comes_between_reading_and_committing_is_not_forgotten(store, again):
    """Upkeep has read a window, and before it commits what it made of it another point comes."""
    tags = make_tags({"host": "a"})
    values = {EPOCH + at: float(at) for at in range(20)}

    def write(time):
        store.write("b", [Point("system", tags, {"load1": values[time]}, time)])

    for time in values:
        write(time)
    if again:
        while store.rollup(EPOCH + 30).remaining:
            pass
        values[EPOCH + 1] = 1_000.0
        write(EPOCH + 1)
    late = iter([EPOCH + 3, EPOCH + 7])

    def on_statement(statement):
        # It is traced before it runs, in the middle of a snapshot that does not see what comes now.
        if "FROM hot WHERE" in statement and (time := next(late, None)) is not None:
            values[time] = 100.0
            write(time)

    store._upkeep.set_trace_callback(on_statement)
    for _ in range(5):
        store.rollup(EPOCH + 30)
    assert next(late, None) is None
    for tier in TIERS.rollups:
        expected = gauge_windows([Sample(*item) for item in sorted(values.items())], tier.window)
        assert read(store, tier, "system.load1", Aggregate.MEAN, "a") == pytest.approx(
            {start: made.mean for start, made in expected.items() if start + tier.window <= EPOCH + 28}
        )
