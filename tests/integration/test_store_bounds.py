"""Nothing grows for ever, and no call of upkeep does."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from pathlib import Path

import pytest
from tests.contracts.store_contract import Clock, memory_directory, roll

from nodetide_core.points import Point, make_tags
from nodetide_core.store import Aggregate, RangeQuery, Stream
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.stores.retention import due_edge
from nodetide_core.tiers import RAW, Tier, Tiers

EPOCH = 20_000 * 86_400
TIERS = Tiers((Tier(RAW, 0, 300), Tier("10s", 10, 900), Tier("60s", 60, 3_600)), counter_gap=10)
TABLES = ("hot", "shape", "layout", "block", "chunk", "roll", "dirty", "series", "slot", "tier")


@pytest.fixture
def clock():
    return Clock(EPOCH)


@pytest.fixture
def directory():
    with tempfile.TemporaryDirectory(dir=memory_directory()) as path:
        yield Path(path)


@pytest.fixture
def store(directory, clock):
    store = EmbeddedStore.open(directory, clock=clock, block_seconds=30)
    store.ensure([Stream("p", "b", TIERS)])
    yield store
    store.close()


def rows(directory):
    with sqlite3.connect(directory / "nodetide.db") as connection:
        found = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
    connection.close()
    return found


def tick(store, clock, host="a"):
    clock.now += 1
    tags = make_tags({"host": host})
    store.write("b", [Point("kernel", tags, {"context_switches": clock.now, "interrupts": 7}, clock.now)])


def keep_going(store, clock, seconds, host="a"):
    for at in range(seconds):
        tick(store, clock, host)
        if at % 20 == 0:
            roll(store, clock.now)


def test_what_is_kept_stops_growing(store, clock, directory):
    keep_going(store, clock, 5_000)
    clock.now -= clock.now % 60
    before = rows(directory)
    for _ in range(3):
        keep_going(store, clock, 1_200)
        now = rows(directory)
        assert now["roll"] == pytest.approx(before["roll"], rel=0.1)
        assert now["chunk"] == pytest.approx(before["chunk"], abs=8)
        assert now["block"] <= before["block"] + 4
        assert {table: now[table] for table in ("series", "slot", "tier", "dirty")} == {
            "series": 1, "slot": 2, "tier": 3, "dirty": 0,
        }  # fmt: skip
        assert now["shape"] <= 2


def test_series_are_forgotten_once_every_tier_let_them_go(store, clock, directory):
    for host in "abcdef":
        keep_going(store, clock, 60, host)
    assert rows(directory)["series"] == 6
    clock.now += 2 * 86_400
    roll(store, clock.now)
    tick(store, clock, "new")
    clock.now += 86_401
    roll(store, clock.now)
    clock.now += 86_401
    roll(store, clock.now)
    left = rows(directory)
    assert left.pop("tier") == 3
    assert set(left.values()) == {0}
    # Their names are free to come back.
    keep_going(store, clock, 50, "a")
    assert asyncio.run(store.hosts("b")) == {"a": clock.now}


def test_hosts_that_come_and_go_leave_no_shapes_behind(store, clock, directory):
    for at in range(300):
        tick(store, clock, f"host-{at}")
        roll(store, clock.now)
    assert rows(directory)["shape"] <= 150
    clock.now += 86_401
    roll(store, clock.now)
    assert rows(directory)["shape"] == rows(directory)["layout"] == 0


def test_the_rows_of_a_tier_taken_out_are_removed(store, clock, directory):
    keep_going(store, clock, 600)
    both = rows(directory)["roll"]
    store.ensure([Stream("p", "b", Tiers(TIERS.tiers[:2], counter_gap=10), allow_data_loss=True)])
    roll(store, clock.now)
    assert rows(directory)["tier"] == 2
    assert 0 < rows(directory)["roll"] < both


def test_space_is_given_back_when_most_of_it_is_free(store, clock, directory):
    tags = [make_tags({"host": "a", "cpu": f"cpu{at}"}) for at in range(60)]
    for at in range(600):
        clock.now += 1
        values = {
            f"usage_{mode}": (at * 7919 + 31 * m) % 10**6 / 997 for m, mode in enumerate(("user", "system", "idle"))
        }
        store.write("b", [Point("cpu", tag, values, clock.now) for tag in tags])
    roll(store, clock.now)
    full = (directory / "nodetide.db").stat().st_size
    for _ in range(12):
        clock.now += 86_401
        roll(store, clock.now)
    store.close()
    assert (directory / "nodetide.db").stat().st_size < full / 2


def test_one_call_of_upkeep_does_a_bounded_part(store, clock):
    """After a downtime with points far apart: each needs a batch of its own."""
    store.ensure([Stream("p", "b", Tiers((Tier(RAW, 0, 0), Tier("10s", 10, 0)), 10), allow_data_loss=True)])
    tags = make_tags({"host": "a"})
    times = [EPOCH + 5_000 * at for at in range(100)]
    clock.now = times[-1] + 100
    store.write("b", [Point("system", tags, {"load1": 1.0}, time) for time in times])
    reports = []
    while not reports or reports[-1].remaining:
        reports.append(store.rollup(clock.now))
    assert len(reports) > 3
    assert all(report.windows <= 20 for report in reports)
    assert all(report.remaining for report in reports[:-1])
    assert sum(report.windows for report in reports) == 100
    query = RangeQuery("b", Tier("10s", 10, 0), "system", ("load1",), EPOCH, clock.now, 10, Aggregate.COUNT)
    (found,) = asyncio.run(store.read(query))
    assert list(found.t) == times


def test_texts_are_bounded_and_the_bound_is_told(store, clock, monkeypatch):
    from nodetide_core.stores.embedded.dictionary import Dictionary

    monkeypatch.setattr(Dictionary, "MOST_TEXTS", 3)
    clock.now += 10
    tags = make_tags({"host": "a", "group": "all"})
    report = store.write("b", [Point("collector", tags, {"policy_hash": f"h{at}"}, EPOCH + at) for at in range(5)])
    assert report.written == 3
    assert [(r.reason, r.count) for r in report.rejected] == [("too many different texts", 2)]


def test_nothing_is_seen_of_what_is_past_its_edge(store, clock):
    """Blocks go as a whole, but what is seen ends at a window's border."""
    for _ in range(7):
        keep_going(store, clock, 97)
        roll(store, clock.now)
        for tier, wider in zip(TIERS.tiers, (*TIERS.rollups, None), strict=True):
            watermarks = asyncio.run(store.watermarks("b"))
            rolled = watermarks[wider.name] if wider else None
            edge = due_edge(TIERS, tier, clock.now, rolled=rolled, pending=None)
            step = max(1, tier.window)
            query = RangeQuery("b", tier, "kernel", ("interrupts",), 0, clock.now + 1, step, Aggregate.LAST)
            (found,) = asyncio.run(store.read(query))
            assert found.t[0] == max(EPOCH + 1 - (EPOCH + 1) % step, edge or 0)


def test_nothing_expires_that_waits_to_be_rolled_up_again(store, clock):
    """More changed windows than one call of upkeep makes, and then so much time that all raw points may go."""
    tiers = Tiers((Tier(RAW, 0, 86_400), Tier("10s", 10, 0)), counter_gap=10)
    store.ensure([Stream("q", "late", tiers)])
    tags = make_tags({"host": "a"})
    times = range(EPOCH, EPOCH + 80_000, 1_000)
    clock.now = EPOCH + 86_000
    for value in (1.0, 2.0):
        store.write("late", [Point("system", tags, {"load1": value}, time + int(value)) for time in times])
        if value == 1.0:
            roll(store, clock.now)
    clock.now += 2 * 86_400
    assert store.rollup(clock.now).remaining
    roll(store, clock.now)
    query = RangeQuery("late", tiers.tiers[1], "system", ("load1",), 0, clock.now, 10, Aggregate.MEAN)
    (found,) = asyncio.run(store.read(query))
    assert list(found.t) == list(times)
    assert set(found.v) == {1.5}
