"""A spool keeps what it takes: on disk, else in memory; the oldest goes where there is no room, and is counted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nodetide_collector.sinks.influx.frames import Batch
from nodetide_collector.sinks.influx.reading import Limits
from nodetide_collector.sinks.influx.segments import SegmentLog
from nodetide_collector.sinks.influx.spool import Load, Spool
from nodetide_core.stores.influx.packed import Packed

ALL = Limits(10**6, 10**9)
START = 1_700_002_800


class Disk:
    """Opens logs that fail, or take their time, when told to."""

    def __init__(self, folder: Path, segment: int = 10_000) -> None:
        self.folder = folder
        self.segment = segment
        self.now = 0.0
        self.error: OSError | None = None
        self.takes = 0.0

    def monotonic(self) -> float:
        return self.now

    def open(self) -> SegmentLog:
        if self.error is not None:
            raise self.error
        return _Log(self)

    def spool(self, *, max_bytes: int = 10**9, memory_bytes: int = 10**9) -> Spool:
        return Spool(
            "b", self.open, max_bytes=max_bytes, memory_bytes=memory_bytes, monotonic=self.monotonic
        )  # fmt: skip


class _Log(SegmentLog):
    def __init__(self, disk: Disk) -> None:
        super().__init__(disk.folder, segment_bytes=disk.segment, monotonic=disk.monotonic)
        self._disk = disk

    def append(self, batch: Batch) -> None:
        if self._disk.error is not None:
            raise self._disk.error
        self._disk.now += self._disk.takes
        super().append(batch)


def one(number: int) -> Batch:
    return Batch(Packed(b"%05d" % number + b"x" * 95, 1), START + number, START + number)


def numbers(batches: Iterable[Batch]) -> list[int]:
    return [int(batch.packed.data[:5]) for batch in batches]


def drain(spool: Spool) -> list[int]:
    found: list[int] = []
    while (load := spool.take(ALL)) is not None:
        found += numbers(load.batches)
        spool.settle(load)
    return found


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_what_is_put_is_on_disk_at_once(disk: Disk) -> None:
    spool = disk.spool()
    spool.put(one(0))
    assert drain(Disk(disk.folder).spool()) == [0]


def test_while_the_disk_fails_memory_holds_and_then_all_goes_to_disk_in_order(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    spool = disk.spool()
    for number in range(10):
        disk.error = OSError(28, "No space left on device") if 3 <= number < 7 else None
        spool.put(one(number))
        disk.now += 1
    assert spool.lines == 10
    spool.close()
    assert drain(Disk(disk.folder).spool()) == list(range(10))
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert "No space left on device" in caplog.text


def test_a_directory_that_cannot_be_opened_is_tried_again(disk: Disk) -> None:
    disk.error = PermissionError(13, "Permission denied")
    spool = disk.spool()
    spool.put(one(0))
    assert (spool.lines, spool.bytes, spool.oldest) == (1, 100, START)
    disk.error = None
    disk.now += 1
    spool.put(one(1))
    assert drain(Disk(disk.folder).spool()) == [0, 1]


def test_what_is_in_memory_is_sent_from_there_after_what_is_on_disk(disk: Disk) -> None:
    spool = disk.spool()
    spool.put(one(0))
    disk.error = OSError(5, "Input/output error")
    spool.put(one(1))
    spool.put(one(2))
    assert drain(spool) == [0, 1, 2]
    assert spool.lines == spool.bytes == 0


def test_a_disk_that_makes_ticks_late_is_left_alone_for_a_while(disk: Disk) -> None:
    spool = disk.spool()
    disk.takes = 2.0
    slow = []
    for number in range(60):
        before = disk.now
        spool.put(one(number))
        slow.append(disk.now - before)
        disk.now += 1
    assert 4 <= sum(took > 0 for took in slow) <= 8
    assert drain(spool) == list(range(60))


def test_past_its_bound_the_oldest_on_disk_go_and_are_counted(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disk.segment = 1_000
    spool = disk.spool(max_bytes=5_000)
    for number in range(100):
        spool.put(one(number))
        assert sum(path.stat().st_size for path in disk.folder.glob("*.seg")) <= 5_000
    left = drain(spool)
    assert left == list(range(100 - len(left), 100))
    assert (spool.dropped, len(left) >= 20) == (100 - len(left), True)
    assert len([record for record in caplog.records if "dropping the oldest" in record.message]) == 1


def test_without_a_disk_the_oldest_in_memory_go_and_are_counted(disk: Disk) -> None:
    disk.error = OSError(30, "Read-only file system")
    spool = disk.spool(memory_bytes=1_000)
    for number in range(25):
        spool.put(one(number))
    assert (spool.dropped, spool.lines, drain(spool)) == (15, 10, list(range(15, 25)))


def test_on_a_full_disk_the_oldest_on_disk_make_room(tmp_path: Path) -> None:
    """A disk that takes no more than is deleted: nothing newer is lost while something older is there."""

    class Full(SegmentLog):
        def append(self, batch: Batch) -> None:
            if self.bytes + 150 > 4_000:
                raise OSError(28, "No space left on device")
            super().append(batch)

    spool = Spool("b", lambda: Full(tmp_path, segment_bytes=1_000), max_bytes=10**9, memory_bytes=1_000)
    for number in range(100):
        spool.put(one(number))
    left = drain(spool)
    assert left == list(range(100 - len(left), 100))
    assert spool.dropped == 100 - len(left)
    assert len(left) >= 30


def test_what_is_taken_is_taken_again_with_what_came_since(disk: Disk) -> None:
    for error in (None, OSError(5, "Input/output error")):
        spool = disk.spool()
        disk.error = error
        spool.put(one(0))
        first = spool.take(ALL)
        spool.put(one(1))
        again = spool.take(ALL)
        assert first is not None and again is not None
        assert (numbers(first.batches), numbers(again.batches)) == ([0], [0, 1])
        spool.settle(again)
        assert spool.lines == 0


def test_closing_counts_what_cannot_be_kept(disk: Disk) -> None:
    spool = disk.spool()
    spool.put(one(0))
    disk.error = OSError(5, "Input/output error")
    spool.put(one(1))
    assert spool.close() == 1
    assert spool.dropped == 1


def test_where_nothing_can_be_deleted_the_oldest_in_memory_go(disk: Disk) -> None:
    class ReadOnly(_Log):
        def drop_oldest(self) -> int | None:
            if disk.error is not None:
                raise disk.error
            return super().drop_oldest()

    spool = Spool("b", lambda: ReadOnly(disk), max_bytes=10**9, memory_bytes=500, monotonic=disk.monotonic)
    spool.put(one(0))
    disk.error = OSError(30, "Read-only file system")
    for number in range(1, 11):
        spool.put(one(number))
    assert (spool.dropped, drain(spool)) == (5, [0, 6, 7, 8, 9, 10])


def test_closing_counts_what_is_on_its_way_and_nowhere_else(disk: Disk) -> None:
    disk.segment = 1
    spool = disk.spool(max_bytes=300)
    spool.put(one(0))
    assert spool.take(Limits(1, 1)) is not None
    for number in range(1, 4):
        spool.put(one(number))
    assert spool.close() == 1
    assert spool.dropped + len(drain(Disk(disk.folder).spool())) == 4


@settings(max_examples=60)
@example(steps=["fail", "put", "take", "work", "wait", "put", "fail", "put", "take", "settle"], room=8)
@given(st.lists(st.sampled_from(["put", "take", "settle", "fail", "work", "wait"]), max_size=60), st.integers(1, 8))
def test_nothing_is_lost_without_being_counted_and_nothing_is_sent_out_of_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], room: int
) -> None:
    disk = Disk(tmp_path_factory.mktemp("spool"), segment=400)
    spool = disk.spool(max_bytes=room * 400, memory_bytes=room * 100)
    put, sent = 0, []
    load: Load | None = None
    actions: dict[str, Callable[[], None]] = {
        "fail": lambda: setattr(disk, "error", OSError(28, "No space left on device")),
        "work": lambda: setattr(disk, "error", None),
        "wait": lambda: setattr(disk, "now", disk.now + 5),
    }
    for step in steps:
        if step == "put":
            spool.put(one(put))
            put += 1
        elif step == "take":
            load = spool.take(ALL)
        elif step == "settle":
            if load is not None:
                sent += numbers(load.batches)
                spool.settle(load)
                load = None
        else:
            actions[step]()
    if load is not None:
        sent += numbers(load.batches)
        spool.settle(load)
    sent += drain(spool)
    assert sent == sorted(set(sent))
    assert len(sent) + spool.dropped == put
    spool.close()  # there are many examples, and files that a process may have open are few
