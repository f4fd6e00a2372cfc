"""Reading the files of a spool, over whatever damage they have."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nodetide_collector.sinks.influx.frames import Batch, Read, find_frame

__all__ = ["Cut", "Limits", "Scan", "Segment", "collect", "same_hour", "scan"]

_HOUR = 3600
#: Bytes read at once. Few system calls matter where the thread that samples holds the interpreter's lock.
_BLOCK = 2**17


class Segment:
    """A file of frames.

    Attributes:
        base: number of its first line.
        size: bytes of it that hold frames.
        first: time of its oldest line, Unix seconds.
        opened: monotonic seconds since when this process has it.
        damaged: whether something in it had to be passed over.
        synced: whether the disk has it.
    """

    __slots__ = ("base", "damaged", "first", "opened", "path", "size", "synced")

    def __init__(self, path: Path, base: int, size: int, first: int, opened: float) -> None:
        self.path = path
        self.base = base
        self.size = size
        self.first = first
        self.opened = opened
        self.damaged = False
        self.synced = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one request: lines, and bytes as packed; one batch may be beyond both."""

    lines: int
    size: int


@dataclass(frozen=True, slots=True)
class Cut:
    """Batches read from a segment.

    Attributes:
        lost: lines that were there and are damaged.
        line: number of the line behind it.
        at: offset behind it in the segment.
    """

    batches: tuple[Batch, ...]
    lost: int
    line: int
    at: int
    segment: Segment


@dataclass(frozen=True, slots=True)
class Scan:
    """What a file holds.

    Attributes:
        first: time of its oldest line; 0 if nothing is whole.
        end: number of the line behind its last; 0 if nothing is whole.
    """

    first: int
    end: int


def collect(segment: Segment, limits: Limits, *, at: int, line: int, end: int, end_line: int) -> Cut:
    """Batches of one hour, at least one where there is one, from an offset and line to the segment's end."""
    batches: list[Batch] = []
    lost = taken = volume = 0
    with _reader(segment.path) as read:
        while at < end:
            found = find_frame(read, at, end)
            segment.damaged = segment.damaged or found.damaged > 0
            if found.frame is None:
                lost, line, at = lost + end_line - line, end_line, end
                break
            batch = found.frame.batch
            if found.frame.end > line:
                taken, volume = taken + batch.packed.count, volume + len(batch.packed.data)
                if batches and (taken > limits.lines or volume > limits.size or not same_hour(batches[0], batch)):
                    break
                lost += max(0, found.frame.line - line)
                batches.append(batch)
                line = found.frame.end
            at = found.at
    return Cut(tuple(batches), lost, line, at, segment)


def same_hour(one: Batch, other: Batch) -> bool:
    """Whether both may go in one request: InfluxDB then puts them into one shard, whose answer holds for all."""
    return one.first // _HOUR == other.first // _HOUR


def scan(path: Path, size: int, *, only_first: bool = False) -> Scan:
    """What a file holds.

    Args:
        only_first: look no further than the first whole frame.
    """
    first: int | None = None
    line = at = 0
    with _reader(path, 0 if only_first else _BLOCK) as read:
        while at < size:
            found = find_frame(read, at, size)
            if found.frame is None:
                line = max(line, found.torn or 0)
                break
            first = found.frame.batch.first if first is None else first
            line, at = found.frame.end, found.at
            if only_first:
                break
    return Scan(first or 0, line)


@contextlib.contextmanager
def _reader(path: Path, block_size: int = _BLOCK) -> Iterator[Read]:
    """Reads at offsets, so many bytes at once; what cannot be read is as if it were not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield lambda _at, _size: b""
        return

    block, start = b"", 0

    def read(at: int, size: int) -> bytes:
        nonlocal block, start
        if not start <= at <= at + size <= start + len(block):
            try:
                block, start = os.pread(descriptor, max(size, block_size), at), at
            except OSError:
                block = b""
        return block[at - start : at - start + size]

    try:
        yield read
    finally:
        os.close(descriptor)
