"""The contract of alerts, held by the embedded store, and what it alone has to prove."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.contracts.alert_contract import STREAMS, AlertContract, key, record
from tests.contracts.store_contract import TIERS, Clock, memory_directory

from nodetide_core.alerts.ports import Remembered
from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.points import Point, make_tags
from nodetide_core.stores.embedded import EmbeddedStore

EPOCH = 20_000 * 86_400


class EmbeddedWorld:
    def __init__(self, directory: Path) -> None:
        self.epoch = EPOCH
        self.clock = Clock(EPOCH)
        self.directory = directory
        self.store: EmbeddedStore | None = None

    def open(self, *, read_only: bool = False) -> EmbeddedStore:
        self.close()
        self.store = EmbeddedStore.open(self.directory, clock=self.clock, block_seconds=200, read_only=read_only)
        return self.store

    def close(self) -> None:
        if self.store is not None:
            self.store.close()


@contextmanager
def embedded_world() -> Iterator[EmbeddedWorld]:
    with tempfile.TemporaryDirectory(dir=memory_directory()) as directory:
        world = EmbeddedWorld(Path(directory))
        try:
            yield world
        finally:
            world.close()


@pytest.fixture
def world() -> Iterator[EmbeddedWorld]:
    with embedded_world() as made:
        yield made


class TestEmbeddedAlerts(AlertContract):
    world = staticmethod(embedded_world)


def test_flux_is_refused_and_says_what_it_needs(world):
    store = world.open()
    with pytest.raises(StoreRejected, match="InfluxDB"):
        asyncio.run(store.flux("b", "buckets()"))


def test_last_seen_knows_sealed_points_field_by_field(world):
    """Each block of 200 s is sealed; a field that was given up early is found in its own last block."""
    store = world.open()
    store.ensure(STREAMS)
    tags = make_tags({"host": "a"})
    for at in range(0, 1_000, 50):
        world.clock.now = EPOCH + at
        fields = {"load1": 1.0} if at > 300 else {"load1": 1.0, "load5": 2.0}
        store.write("b", [Point("system", tags, fields, world.clock.now)])
    world.clock.now = EPOCH + 10_000
    while store.rollup(world.clock.now).remaining:
        pass
    with sqlite3.connect(world.directory / "nodetide.db") as connection:
        assert connection.execute("SELECT count(*) FROM hot").fetchone() == (0,), "all is sealed"
    connection.close()

    def seen(field, since):
        return dict(asyncio.run(store.last_seen("b", "system", field, EPOCH + since)))

    assert seen(None, 0) == seen("load1", 0) == {tags: EPOCH + 950}
    assert seen("load5", 0) == {tags: EPOCH + 300}
    assert seen("load5", 300) == {tags: EPOCH + 300}
    assert seen("load5", 301) == {}
    store.write("b", [Point("system", tags, {"load5": 2.0}, EPOCH + 9_000)])
    store.write("b", [Point("system", tags, {"load1": 2.0}, EPOCH + 701)])
    assert seen("load5", 301) == {tags: EPOCH + 9_000}
    assert seen("load1", 0) == {tags: EPOCH + 950}, "what comes late is not newest"


def test_what_was_not_saved_for_the_raw_retention_is_forgotten(world):
    store = world.open()
    store.ensure(STREAMS)
    store.remember("b", {key(): record(), key(host="b"): record()}, {}, EPOCH)
    later = EPOCH + TIERS.raw.retention
    store.remember("b", {key(): record()}, {}, later)
    assert len(store.remembered("b").records) == 2
    store.remember("b", {}, {}, later + 1)
    assert store.remembered("b") == Remembered({key(): record()}, {})


def test_readers_beside_see_records_and_may_not_write(world):
    store = world.open()
    store.ensure(STREAMS)
    store.remember("b", {key(): record()}, {}, EPOCH)
    beside = EmbeddedStore.open(world.directory, clock=world.clock, read_only=True)
    try:
        assert asyncio.run(beside.alerts("b")) == {key(): record()}
        with pytest.raises(StoreRejected):
            beside.remember("b", {}, {}, EPOCH)
    finally:
        beside.close()


def test_a_store_of_the_format_before_is_brought_up_to_date(world):
    store = world.open()
    store.ensure(STREAMS)
    point = Point("system", make_tags({"host": "a"}), {"load1": 1.0}, EPOCH)
    store.write("b", [point])
    world.close()
    connection = sqlite3.connect(world.directory / "nodetide.db", isolation_level=None)
    connection.executescript("DROP TABLE alert; DROP TABLE told; PRAGMA user_version=1;")
    connection.close()
    with pytest.raises(StoreUnavailable, match="format 1"):
        world.open(read_only=True)
    for _ in range(2):
        store = world.open()
        assert [found.point for found in asyncio.run(store.latest("b", frozenset(), frozenset()))] == [point]
        store.remember("b", {key(): record()}, {}, EPOCH)
        assert store.remembered("b").records == {key(): record()}
