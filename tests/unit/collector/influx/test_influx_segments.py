"""The files of a spool: when they come and go, and what a crash leaves."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_collector.sinks.influx.frames import Batch, encode_frame
from nodetide_collector.sinks.influx.reading import Limits
from nodetide_collector.sinks.influx.segments import SegmentLog
from nodetide_core.stores.influx.packed import Packed

ALL = Limits(10**6, 10**9)


def one(number: int, time: int = 1_700_002_800) -> Batch:
    return Batch(Packed(b"%d;" % number + b"x" * 50, 1), time, time)


def drain(log: SegmentLog) -> list[int]:
    found: list[int] = []
    while (cut := log.read(ALL)) is not None:
        found += [int(batch.packed.data.partition(b";")[0]) for batch in cut.batches]
        log.acknowledge(cut)
    return found


@contextlib.contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """The kernel then writes as much as fits, and refuses the rest, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def segments(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.seg"))


@given(st.lists(st.integers(1, 3), min_size=1, max_size=6), st.data())
def test_a_file_cut_off_anywhere_gives_every_frame_before_the_cut_and_goes_on_behind(
    tmp_path_factory: pytest.TempPathFactory, counts: Sequence[int], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    log = SegmentLog(folder)
    ends = [0]
    for number in range(len(counts)):
        log.append(one(number))
        ends.append(ends[-1] + len(encode_frame(one(number), 0)))
    log.close()
    (file,) = folder.glob("*.seg")
    cut = data.draw(st.integers(0, ends[-1]))
    os.truncate(file, cut)

    again = SegmentLog(folder)
    again.append(one(99))
    whole = sum(end <= cut for end in ends[1:])
    assert drain(again) == [*range(whole), 99]
    again.close()


def test_what_a_tear_took_is_counted_as_far_as_its_header_tells(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path)
    log.append(one(0))
    log.append(Batch(Packed(b"x" * 100, 7), 1_700_002_800, 1_700_002_800))
    log.close()
    (file,) = tmp_path.glob("*.seg")
    os.truncate(file, file.stat().st_size - 1)

    again = SegmentLog(tmp_path)
    cut = again.read(ALL)
    assert cut is not None
    assert (len(cut.batches), cut.lost) == (1, 7)
    again.close()


def test_a_quiet_log_is_one_young_file(tmp_path: Path) -> None:
    """In the good case files are deleted before the kernel writes them to the disk."""
    now = 0.0
    log = SegmentLog(tmp_path, retire_after=10, monotonic=lambda: now)
    seen = set()
    for second in range(60):
        now = float(second)
        log.append(one(second))
        if second % 5 == 4:
            assert drain(log) == list(range(second - 4, second + 1))
        assert len(segments(tmp_path)) <= 1
        seen.update(segments(tmp_path))
    assert len(seen) >= 4
    log.close()


def test_reading_stops_at_lines_bytes_and_hours(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path)
    for number in range(10):
        log.append(one(number, time=1_700_002_800 + (3600 if number >= 7 else 0)))
    sizes = []
    for limits in (Limits(2, 10**9), Limits(10**6, 120), Limits(1, 1), ALL, ALL):
        cut = log.read(limits)
        assert cut is not None
        sizes.append(len(cut.batches))
        log.acknowledge(cut)
    assert sizes == [2, 2, 1, 2, 3]
    log.close()


def test_damage_in_the_middle_is_passed_over_counted_and_put_aside(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, segment_bytes=1)
    for number in range(3):
        log.append(one(number))
    file = tmp_path / segments(tmp_path)[1]
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    lost, seen = 0, []
    while (cut := log.read(ALL)) is not None:
        lost += cut.lost
        seen += [batch.packed.data[:1] for batch in cut.batches]
        log.acknowledge(cut)
    assert (lost, seen) == (1, [b"0", b"2"])
    assert [path.name for path in tmp_path.glob("*.corrupt")] == [file.with_suffix(".corrupt").name]
    log.close()


def test_damaged_files_that_were_put_aside_are_bounded(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, segment_bytes=1)
    for number in range(6):
        log.append(one(number))
    for name in segments(tmp_path):
        (tmp_path / name).write_bytes(b"rubbish")
    assert drain(log) == []
    assert len(list(tmp_path.glob("*.corrupt"))) == 2
    log.close()


@pytest.mark.parametrize("content", [b"", b"rubbish", b"nTf1" * 100, None])
def test_a_foreign_or_missing_file_never_blocks(tmp_path: Path, content: bytes | None) -> None:
    log = SegmentLog(tmp_path, segment_bytes=1)
    for number in range(3):
        log.append(one(number))
    log.close()
    for name in segments(tmp_path)[1:]:
        if content is None:
            (tmp_path / name).unlink()
        else:
            (tmp_path / name).write_bytes(content)
    (tmp_path / "notes.txt").write_text("not ours")
    again = SegmentLog(tmp_path, segment_bytes=1)
    again.append(one(9))
    assert drain(again) == [0, 9]
    assert (tmp_path / "notes.txt").exists()
    again.close()


def test_a_failed_append_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path)
    log.append(one(0))
    with files_up_to((tmp_path / segments(tmp_path)[0]).stat().st_size + 20):
        with pytest.raises(OSError, match="File too large"):
            log.append(one(1))
    with files_up_to(20):
        with pytest.raises(OSError, match="File too large"):
            log.append(one(1))
    assert log.lines == 1
    assert len(segments(tmp_path)) == 1
    log.append(one(2))
    log.close()
    again = SegmentLog(tmp_path)
    assert drain(again) == [0, 2]
    again.close()


def test_what_is_read_and_dropped_meanwhile_is_the_readers_to_count(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path, segment_bytes=150)
    for number in range(4):
        log.append(one(number))
    cut = log.read(Limits(1, 10**9))
    assert cut is not None
    assert log.drop_oldest() == 1
    assert not log.holds(cut)
    assert log.read(ALL, cut) is cut
    log.acknowledge(cut)
    assert drain(log) == [2, 3]
    assert log.drop_oldest() is None or log.lines == 0
    log.close()


def test_a_position_beyond_everything_does_not_hide_new_lines(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path)
    for number in range(3):
        log.append(one(number))
    assert drain(log) == [0, 1, 2]
    log.close()
    for path in tmp_path.glob("*.seg"):
        path.unlink()
    again = SegmentLog(tmp_path)
    again.append(one(3))
    assert drain(again) == [3]
    again.close()
