"""What can go wrong with the files: a clear error, nothing changed, nothing acknowledged lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from nodetide_core.errors import StoreBusy, StoreCorrupt, StoreRejected, StoreUnavailable
from nodetide_core.points import Point, make_tags
from nodetide_core.store import Aggregate, RangeQuery, Stream
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.tiers import RAW, Tier, Tiers

EPOCH = 20_000 * 86_400
TIERS = Tiers((Tier(RAW, 0, 86_400), Tier("1m", 60, 0)))
TAGS = make_tags({"host": "a"})


@pytest.fixture
def clock():
    class Clock:
        now = EPOCH

        def __call__(self):
            return float(self.now)

    return Clock()


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def open_store(directory, clock):
    opened = []

    def open(path=directory, **options):
        store = EmbeddedStore.open(path, clock=clock, **{"block_seconds": 100, **options})
        opened.append(store)
        return store

    yield open
    for store in opened:
        store.close()


def fill(store, clock, seconds=400):
    store.ensure([Stream("p", "b", TIERS)])
    for _ in range(seconds):
        clock.now += 1
        store.write("b", [point(clock.now)])
    while store.rollup(clock.now).remaining:
        pass


def point(time):
    return Point("system", TAGS, {"load1": (time % 97) / 7, "uptime": time}, time)


def read(store, start=EPOCH, stop=EPOCH + 10**6, field="uptime", tier=TIERS.raw):
    aggregate, step = (Aggregate.LAST, 1) if tier.window == 0 else (Aggregate.MEAN, tier.window)
    found = asyncio.run(store.read(RangeQuery("b", tier, "system", (field,), start, stop, step, aggregate)))
    return dict(zip(found[0].t, found[0].v, strict=True)) if found else {}


def contents(directory: Path):
    """What is in a directory, but for the lock and what SQLite keeps there while it looks."""
    found = {file.name: file.read_bytes() for file in directory.iterdir()}
    return {name: data for name, data in found.items() if data and not name.endswith((".lock", "-shm"))}


# Another program's file, or a damaged one


@pytest.mark.parametrize("what", ["text", "short", "zeros", "other program", "newer"])
def test_a_file_that_is_not_ours_is_left_alone(directory, open_store, what):
    directory.mkdir()
    path = directory / "nodetide.db"
    if what in ("other program", "newer"):
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE precious(a)")
        if what == "newer":
            connection.execute(f"PRAGMA application_id={0x4E546964}")
            connection.execute("PRAGMA user_version=99")
        connection.commit()
        connection.close()
    else:
        path.write_bytes({"text": b"dear diary, " * 500, "short": b"SQLite format 3\0", "zeros": bytes(8_192)}[what])
    before = contents(directory)
    for read_only in (False, True):
        with pytest.raises(StoreCorrupt, match=r"nodetide\.db.*move it away"):
            open_store(read_only=read_only)
    assert contents(directory) == before


def test_an_empty_file_counts_as_none(directory, open_store, clock):
    directory.mkdir()
    (directory / "nodetide.db").touch()
    fill(open_store(), clock, 10)


def test_half_made_leftovers_are_no_obstacle(directory, open_store, clock):
    directory.mkdir()
    (directory / "nodetide.db.new").write_bytes(b"half")
    (directory / "nodetide.db.new-journal").write_bytes(b"half")
    fill(open_store(), clock, 10)


def test_a_log_without_its_database_is_not_overwritten(directory, open_store, clock):
    store = open_store()
    fill(store, clock, 10)
    log = (directory / "nodetide.db-wal").read_bytes()
    store.close()
    (directory / "nodetide.db").unlink()
    (directory / "nodetide.db-wal").write_bytes(log)
    with pytest.raises(StoreCorrupt, match="log"):
        open_store()
    assert (directory / "nodetide.db-wal").read_bytes() == log


@pytest.mark.parametrize("killed", [False, True])
def test_a_database_of_broken_structure_is_told_at_open(tmp_path, directory, open_store, clock, killed):
    """And nothing of it is changed, not even its log folded in."""
    store = open_store(tmp_path / "before")
    fill(store, clock)
    if not killed:
        store.close()
    directory.mkdir()
    for name in ("nodetide.db", "nodetide.db-wal") if killed else ("nodetide.db",):
        shutil.copy(tmp_path / "before" / name, directory / name)
    path = directory / "nodetide.db"
    data = bytearray(path.read_bytes())
    # Pages that opening alone would not read.
    for at in range(len(data) // 4_096 // 2 * 4_096, len(data), 4_096):
        data[at : at + 200] = os.urandom(200)
    path.write_bytes(data)
    before = contents(directory)
    with pytest.raises(StoreCorrupt, match=r"nodetide\.db"):
        open_store()
    assert contents(directory) == before


def damage_a_chunk(directory, where="1"):
    connection = sqlite3.connect(directory / "nodetide.db")
    changed = connection.execute(f"UPDATE chunk SET b=CAST(b||x'00' AS BLOB) WHERE {where}").rowcount
    connection.commit()
    connection.close()
    assert changed


def test_damaged_points_are_told_and_the_others_read(directory, open_store, clock):
    store = open_store()
    fill(store, clock)
    expected = read(store, start=EPOCH + 200)
    store.close()
    damage_a_chunk(directory, f"block={EPOCH + 100}")
    store = open_store()
    with pytest.raises(StoreCorrupt, match=r"nodetide.db: 100 s of uptime from .* damaged"):
        read(store)
    assert read(store, start=EPOCH + 200) == expected


def test_a_damaged_chunk_stops_neither_upkeep_nor_what_is_rolled_up(directory, open_store, clock, caplog):
    store = open_store()
    fill(store, clock)
    before = read(store, field="load1", tier=TIERS.tiers[1])
    store.close()
    damage_a_chunk(directory)
    store = open_store()
    assert asyncio.run(store.latest("b", frozenset(), frozenset()))
    store.write("b", [point(EPOCH + 130)])
    clock.now += 200
    while store.rollup(clock.now).remaining:
        pass
    assert "is not made from them" in caplog.text
    assert read(store, field="load1", tier=TIERS.tiers[1]).items() >= before.items()
    # The late point's own block is read again: what it held is lost, and said to be.
    assert "late points take their place" in caplog.text
    assert read(store, start=EPOCH + 100, stop=EPOCH + 200) == {EPOCH + 130: EPOCH + 130}


# A second instance


def test_a_second_instance_is_told_who_holds_the_directory(open_store, directory):
    open_store()
    with pytest.raises(StoreBusy, match=f"{directory}.*process {os.getpid()}"):
        EmbeddedStore.open(directory)


def test_the_directory_is_free_again_after_close_and_after_kill(directory, open_store, clock):
    store = open_store()
    fill(store, clock, 5)
    store.close()
    script = (
        "import sys, time; from pathlib import Path; from nodetide_core.stores.embedded import EmbeddedStore\n"
        "store = EmbeddedStore.open(Path(sys.argv[1])); print('open', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(directory)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == "open\n"
        with pytest.raises(StoreBusy, match=f"process {child.pid}"):
            open_store()
        child.kill()
        child.wait()
    assert (directory / "nodetide.lock").read_text() == f"{child.pid}\n"
    assert len(read(open_store())) == 5


def test_a_failed_open_lets_the_directory_go(directory, open_store, clock):
    directory.mkdir()
    (directory / "nodetide.db").write_bytes(b"x" * 200)
    with pytest.raises(StoreCorrupt):
        open_store()
    (directory / "nodetide.db").unlink()
    fill(open_store(), clock, 3)


# Places where nothing can be written


def test_a_directory_that_cannot_be_made_is_told(tmp_path, open_store):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreUnavailable, match=str(path)):
            open_store(path)
    with pytest.raises(StoreUnavailable, match="no store"):
        open_store(tmp_path / "nowhere", read_only=True)
    assert not (tmp_path / "nowhere").exists()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of three megabytes of its own."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(mounted)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("needs to be allowed to mount a tmpfs")
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


def test_a_full_disk_refuses_writes_and_loses_nothing(small_disk, open_store, clock):
    store = open_store(small_disk / "data")
    store.ensure([Stream("p", "b", TIERS)])
    taken = []
    with pytest.raises(StoreUnavailable, match=r"nodetide.db: .*full"):
        for _ in range(100_000):
            clock.now += 1
            store.write("b", [point(clock.now)])
            taken.append(clock.now)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            store.write("b", [point(clock.now), Point("system", make_tags({"host": "new"}), {"load5": 1.0}, clock.now)])
        with pytest.raises(StoreUnavailable):
            store.rollup(clock.now)
        assert list(read(store, start=taken[-50])) == taken[-50:]
        asyncio.run(store.ready())
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    for _ in range(100):
        clock.now += 1
        assert store.write("b", [point(clock.now)]).written == 1
        taken.append(clock.now)
    # A series that was new when the disk was full is as good as any.
    fresh = Point("system", make_tags({"host": "new"}), {"load5": 1.0}, clock.now)
    store.write("b", [fresh])
    while store.rollup(clock.now).remaining:
        pass
    for _ in range(2):
        assert read(store) == {time: time for time in taken}
        assert [item.point for item in asyncio.run(store.latest("b", frozenset(), frozenset({"new"})))] == [fresh]
        assert read(store, tier=TIERS.tiers[1]) == means(taken, asyncio.run(store.watermarks("b"))["1m"])
        store.close()
        store = open_store(small_disk / "data")


def means(times, watermark):
    groups = {}
    for time in times:
        groups.setdefault(time - time % 60, []).append(time)
    return {start: pytest.approx(sum(part) / len(part)) for start, part in groups.items() if start < watermark}


def test_a_store_that_does_not_even_fit_is_told(small_disk, open_store):
    (small_disk / "ballast").write_bytes(bytes(3 * 2**20))
    with pytest.raises(StoreUnavailable, match=r"full|space"):
        open_store(small_disk / "data")


def test_a_read_only_directory_is_told_and_can_still_be_read(small_disk, open_store, clock):
    store = open_store(small_disk / "data")
    fill(store, clock, 50)
    store.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StoreUnavailable, match=str(small_disk / "data")):
        open_store(small_disk / "data")
    assert len(read(open_store(small_disk / "data", read_only=True))) == 50


# Reading beside the writer


def test_a_reader_beside_the_writer_sees_what_is_written(open_store, clock):
    store = open_store()
    fill(store, clock, 250)
    beside = open_store(read_only=True)
    for _ in range(2):
        store.write("b", [point(clock.now + 1)])
        clock.now += 1
        assert read(beside) == read(store)
        for ask in (
            lambda s: s.latest("b", frozenset(), frozenset()),
            lambda s: s.hosts("b"),
            lambda s: s.watermarks("b"),
            lambda s: s.streams(),
        ):
            assert asyncio.run(ask(beside)) == asyncio.run(ask(store))
    for refused in (
        lambda: beside.write("b", [point(clock.now)]),
        lambda: beside.ensure([]),
        lambda: beside.rollup(clock.now),
    ):
        with pytest.raises(StoreRejected, match="read only"):
            refused()
    beside.close()
    store.write("b", [point(clock.now)])
