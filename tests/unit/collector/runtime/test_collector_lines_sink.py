from __future__ import annotations

import errno
import logging
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodetide_collector.sinks.lines import LinesSink, open_lines
from nodetide_core.lineprotocol import parse
from nodetide_core.points import Point


def point(time: int, **fields: int) -> Point:
    return Point("mem", (("host", "n1"),), fields or {"total": time}, time)


class File:
    """A descriptor that takes what `take` says of each write: a number of bytes or an error."""

    def __init__(self, take: Callable[[int], int | OSError]) -> None:
        self.data = b""
        self.take = take
        self.calls = 0

    def write(self, descriptor: int, data: memoryview) -> int:
        self.calls += 1
        taken = self.take(len(data))
        if isinstance(taken, OSError):
            raise taken
        self.data += bytes(data[:taken])
        return min(taken, len(data))


def sink(file: File, limit: int = 10_000) -> LinesSink:
    return LinesSink(-1, limit=limit, write=file.write, monotonic=lambda: 100.0)


def by_bucket(data: bytes, first: str) -> list[tuple[str, int]]:
    """(bucket, time) of every line, as a reader takes the comments."""
    found, bucket = [], first
    for line in data.decode().splitlines():
        if line.startswith("# bucket "):
            bucket = line.removeprefix("# bucket ")
        else:
            found += [(bucket, p.time) for p in parse(line)]
    return found


def test_a_tick_is_one_write() -> None:
    file = File(lambda size: size)
    lines = sink(file)
    lines.write("b", [point(1), point(2)])
    lines.write("b", [point(3)])
    assert file.calls == 2
    assert file.data == b"mem,host=n1 total=1i 1\nmem,host=n1 total=2i 2\nmem,host=n1 total=3i 3\n"
    assert lines.stats().written == 3


def test_nothing_to_say_is_no_write() -> None:
    file = File(lambda size: size)
    lines = sink(file)
    lines.write("b", [])
    lines.write("b", [Point("mem", (), {"used_percent": float("nan")}, 1)])
    assert (file.calls, lines.stats().written) == (0, 0)


def test_buckets_are_told_apart_by_comments_only_where_there_are_several() -> None:
    file = File(lambda size: size)
    lines = sink(file)
    for time, bucket in enumerate("aabba"):
        lines.write(bucket, [point(time)])
    comments = [line for line in file.data.decode().splitlines() if line.startswith("#")]
    assert comments == ["# bucket b", "# bucket a"]
    assert by_bucket(file.data, "a") == [("a", 0), ("a", 1), ("b", 2), ("b", 3), ("a", 4)]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(60, 600), st.integers(1, 60))
def test_whatever_the_file_takes_lines_stay_whole_and_every_point_is_accounted_for(
    seed: int, limit: int, ticks: int
) -> None:
    chance = random.Random(seed)

    def take(size: int) -> int | OSError:
        kind = chance.random()
        if kind < 0.35:
            return OSError(errno.ENOSPC, "No space left on device")
        return chance.randint(0, size) if kind < 0.8 else size

    file = File(take)
    lines = sink(file, limit)
    given = 0
    for time in range(ticks):
        count = chance.randint(1, 4)
        lines.write(chance.choice("ab") if time else "a", [point(time) for _ in range(count)])
        given += count
        stats = lines.stats()
        assert stats.spool_bytes <= limit + 60
    file.take = lambda size: size
    assert lines.flush(0) == 0
    found = by_bucket(file.data, "a")
    assert [time for _, time in found] == sorted(time for _, time in found)
    stats = lines.stats()
    assert (stats.written, stats.written + stats.dropped) == (len(found), given)
    assert (stats.spool_bytes, stats.spool_oldest_s) == (0, 0.0)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.lists(st.sampled_from("ab"), min_size=1, max_size=30))
def test_no_line_is_ever_of_another_bucket(seed: int, buckets: list[str]) -> None:
    chance = random.Random(seed)

    def take(size: int) -> int | OSError:
        answers: list[int | OSError] = [0, size, chance.randint(0, size), OSError(errno.EPIPE, "Broken pipe")]
        return chance.choice(answers)

    file = File(take)
    lines = sink(file, limit=100)
    lines.write("a", [point(0)])
    file.take = lambda size: size
    lines.flush(0)
    file.take = take
    for index, bucket in enumerate(buckets, 1):
        lines.write(bucket, [point(index)])
    file.take = lambda size: size
    lines.flush(0)
    for bucket, time in by_bucket(file.data, "a"):
        assert time == 0 or bucket == buckets[time - 1]


def test_an_error_is_one_line_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    file = File(lambda size: OSError(errno.ENOSPC, "No space left on device"))
    lines = sink(file, limit=100)
    for time in range(50):
        lines.write("b", [point(time)])
    assert len(caplog.records) == 1
    assert "No space left on device" in caplog.text
    assert lines.stats().dropped > 40
    file.take = lambda size: size
    lines.write("b", [point(50)])
    assert len(caplog.records) == 2
    assert "writing again" in caplog.text


def test_what_is_held_has_an_age() -> None:
    now = [10.0]
    lines = LinesSink(-1, write=File(lambda size: 0).write, monotonic=lambda: now[0])
    lines.write("b", [point(1)])
    now[0] = 14.5
    assert lines.stats().spool_oldest_s == 4.5
    assert lines.stats().spool_bytes == len(b"mem,host=n1 total=1i 1\n")


def test_what_is_held_at_the_close_is_counted_as_lost() -> None:
    lines = sink(File(lambda size: 0))
    lines.write("b", [point(1), point(2)])
    assert lines.flush(0) == 2
    lines.close()
    lines.close()
    assert lines.stats().dropped == 2


class TestFile:
    def test_lines_are_appended(self, tmp_path: Path) -> None:
        path = tmp_path / "out.lp"
        for time in (1, 2):
            lines = open_lines(path)
            lines.write("b", [point(time)])
            lines.close()
        assert [p.time for p in parse(path.read_text())] == [1, 2]

    def test_a_line_torn_by_a_killed_writer_does_not_spoil_ours(self, tmp_path: Path) -> None:
        path = tmp_path / "out.lp"
        path.write_text("mem total=1i 1\nmem tot")
        lines = open_lines(path)
        lines.write("b", [point(2)])
        lines.close()
        assert path.read_text().splitlines() == ["mem total=1i 1", "mem tot", "mem,host=n1 total=2i 2"]

    def test_a_path_that_cannot_be_opened_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            open_lines(tmp_path / "absent" / "out.lp")


class TestPipe:
    @pytest.fixture
    def pipe(self) -> Iterator[tuple[int, int]]:
        ends = os.pipe()
        yield ends
        for end in ends:
            try:
                os.close(end)
            except OSError:
                continue

    def test_a_reader_that_does_not_read_never_blocks_us_and_loses_nothing_within_the_limit(
        self, pipe: tuple[int, int]
    ) -> None:
        reader, writer = pipe
        lines = LinesSink(writer, limit=10**7)
        batch = [point(time) for time in range(1_000)]
        for _ in range(20):
            lines.write("b", batch)
        assert lines.stats().spool_bytes > 100_000
        read = b""
        while lines.stats().spool_bytes:
            read += os.read(reader, 1 << 20)
            lines.flush(0)
        read += os.read(reader, 1 << 20)
        assert len(list(parse(read.decode()))) == 20_000
        assert lines.stats().written == 20_000

    def test_a_reader_that_is_gone_is_survived(self, pipe: tuple[int, int]) -> None:
        reader, writer = pipe
        lines = LinesSink(writer, limit=100)
        os.close(reader)
        for time in range(10):
            lines.write("b", [point(time)])
        assert lines.stats().written == 0
        assert lines.stats().dropped >= 5


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to mount a file system")
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    mount = tmp_path / "small"
    mount.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", mount], check=False, capture_output=True
    ).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        ballast = mount / "ballast"
        ballast.write_bytes(b"x" * 40_960)
        lines = open_lines(mount / "out.lp")
        for time in range(100):
            lines.write("b", [point(time) for _ in range(20)])
        held = lines.stats()
        assert held.spool_bytes > 0
        assert held.dropped == 0
        ballast.unlink()
        assert lines.flush(1) == 0
        lines.close()
        assert [p.time for p in parse((mount / "out.lp").read_text())] == [t for t in range(100) for _ in range(20)]
    finally:
        subprocess.run(["umount", mount], check=True)
