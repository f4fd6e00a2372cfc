"""The files of one spool: a queue of batches that outlives the process.

A directory holds segments, ``<number of first line>.seg``, written at the end, read at the start and
deleted once every line of theirs is acknowledged, and ``position``, the number of the first line that
isn't. Appending goes to the page cache, so that a killed process loses nothing; `sync` makes full
segments survive a power cut, and is for the thread that may wait.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from nodetide_collector.sinks.influx.frames import Batch, encode_frame
from nodetide_collector.sinks.influx.position import Position
from nodetide_collector.sinks.influx.reading import Cut, Limits, Segment, collect, scan

__all__ = ["SegmentLog"]

log = logging.getLogger(__name__)

_NAME = re.compile(r"([0-9]{20})\.seg")
_CORRUPT = ".corrupt"
_CORRUPT_KEPT = 2


class SegmentLog:
    """One thread appends and drops, one other reads, acknowledges and syncs.

    Args:
        directory: made if it is not there.
        segment_bytes: past this a segment is closed and the next begun.
        retire_after: seconds after which a segment without unacknowledged lines is deleted rather
            than written on: soon enough that the kernel never writes it to the disk.

    Raises:
        OSError: the directory cannot be made, read or written.
    """

    def __init__(
        self,
        directory: Path,
        *,
        segment_bytes: int = 2**20,
        retire_after: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._retire_after = retire_after
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._segments: list[Segment] = []
        self._active: int | None = None  # descriptor of the last segment while it is written
        self._at = 0  # offset in the first segment behind what is acknowledged
        self._acknowledged_time = 0
        self._in_flight = 0  # number of the line behind what was read last
        directory.mkdir(parents=True, exist_ok=True)
        self._position = Position(directory / "position")
        try:
            self._first = self._position.read()
            self._next = self._first
            self._recover()
        except BaseException:
            self._position.close()
            raise

    @property
    def bytes(self) -> int:
        """Of all its segments."""
        with self._lock:
            return sum(segment.size for segment in self._segments)

    @property
    def pending_bytes(self) -> int:
        with self._lock:
            return max(0, sum(segment.size for segment in self._segments) - self._at)

    @property
    def lines(self) -> int:
        """Not acknowledged yet, damaged ones included."""
        with self._lock:
            return self._next - self._first

    @property
    def oldest(self) -> int | None:
        """Time of the oldest line that is not acknowledged, give or take one batch."""
        with self._lock:
            if self._next == self._first:
                return None
            return max(self._segments[0].first, self._acknowledged_time)

    def append(self, batch: Batch) -> None:
        """Put a batch at the end.

        Raises:
            OSError: it is not in the log.
        """
        with self._lock:
            data = encode_frame(batch, self._next)
            if self._active is None:
                self._open(batch.first)
            segment, active = self._segments[-1], self._active
            assert active is not None  # noqa: S101 - opened above
            try:
                _write_all(active, data)
            except OSError:
                self._cut_off(segment, active)
                raise
            segment.size += len(data)
            self._next += batch.packed.count
            if segment.size >= self._segment_bytes:
                self._close_active()

    def read(self, limits: Limits, instead: Cut | None = None) -> Cut | None:
        """Batches from the front, at least one where there is one; None if there is nothing.

        Until they are acknowledged they count as read, and `drop_oldest` leaves them to the reader.

        Args:
            instead: what was read before and is to be replaced by the same or more of it.
        """
        while True:
            with self._lock:
                if instead is not None and not self._holds(instead):
                    return instead
                self._in_flight = instead.line if instead is not None else 0
                if not self._segments or (self._next == self._first and self._at >= self._segments[0].size):
                    return None
                segment, at, line = self._segments[0], self._at, self._first
                end, end_line = segment.size, self._end_of_first()
            cut = collect(segment, limits, at=at, line=line, end=end, end_line=end_line)
            with self._lock:
                if self._holds(cut):  # else it was dropped meanwhile, and counted
                    self._in_flight = cut.line
                    return cut

    def holds(self, cut: Cut) -> bool:
        """Whether what was read is still here, not dropped."""
        with self._lock:
            return self._holds(cut)

    def acknowledge(self, cut: Cut) -> None:
        """The batches need not be kept any more."""
        gone: Segment | None = None
        with self._lock:
            self._in_flight = 0
            if self._holds(cut):
                self._at, self._first = cut.at, max(cut.line, self._first)
                if cut.batches:
                    self._acknowledged_time = cut.batches[-1].last
                gone = self._retire(cut.segment)
            first = self._first
        if gone is not None:
            self._remove(gone)
        self._position.write(first)

    def drop_oldest(self) -> int | None:
        """Delete the first segment; returns its lines that were neither acknowledged nor read, or None
        if there is none to delete.

        Raises:
            OSError: it cannot be deleted.
        """
        with self._lock:
            if not self._segments:
                return None
            segment = self._segments[0]
            if len(self._segments) == 1:
                self._close_active()
            segment.path.unlink(missing_ok=True)
            end = self._end_of_first()
            lost = end - max(self._first, min(self._in_flight, end))
            self._segments.pop(0)
            self._at, self._first = 0, end
            first = self._first
        self._position.write(first)
        return lost

    def sync(self) -> None:
        """Have the disk hold the segments that are full; errors are for `append` to meet."""
        with self._lock:
            full = [s for s in self._segments if not s.synced and not self._is_active(s)]
        for segment in full:
            with contextlib.suppress(OSError):
                _fsync(segment.path)
                _fsync(self._directory)
            segment.synced = True

    def close(self) -> None:
        """Leave everything for the next process."""
        with self._lock:
            self._close_active()
            self._position.close()

    def _holds(self, cut: Cut) -> bool:
        return bool(self._segments) and self._segments[0] is cut.segment

    def _is_active(self, segment: Segment) -> bool:
        return self._active is not None and segment is self._segments[-1]

    def _end_of_first(self) -> int:
        return self._segments[1].base if len(self._segments) > 1 else self._next

    def _retire(self, segment: Segment) -> Segment | None:
        """Take the first segment off if nothing of it is needed and nothing more comes into it."""
        if self._at < segment.size:
            return None
        if self._is_active(segment):
            if self._monotonic() - segment.opened < self._retire_after and not segment.damaged:
                return None
            self._close_active()
        self._segments.pop(0)
        self._at = 0
        return segment

    def _remove(self, segment: Segment) -> None:
        """Delete a segment, or put a damaged one aside for people to look at."""
        with contextlib.suppress(OSError):  # it is read again after a restart, and its lines written again
            if segment.damaged:
                segment.path.rename(segment.path.with_suffix(_CORRUPT))
                self._trim_corrupt()
            else:
                segment.path.unlink(missing_ok=True)

    def _trim_corrupt(self) -> None:
        for path in sorted(self._directory.glob(f"*{_CORRUPT}"))[:-_CORRUPT_KEPT]:
            path.unlink()

    def _open(self, first: int) -> None:
        path = self._directory / f"{self._next:020d}.seg"
        self._active = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self._segments.append(Segment(path, self._next, 0, first, self._monotonic()))

    def _close_active(self) -> None:
        if self._active is not None:
            os.close(self._active)
            self._active = None

    def _cut_off(self, segment: Segment, active: int) -> None:
        """Undo a write that failed half-way; if even that fails, the half is passed over when read."""
        with contextlib.suppress(OSError):
            os.ftruncate(active, segment.size)
        self._close_active()
        if segment.size == 0:
            self._segments.pop()
            with contextlib.suppress(OSError):
                segment.path.unlink()

    def _recover(self) -> None:
        found = sorted(
            (int(match[1]), path) for path in self._directory.iterdir() if (match := _NAME.fullmatch(path.name))
        )
        for base, path in found:
            size = path.stat().st_size
            if size == 0:
                path.unlink()
                continue
            self._segments.append(Segment(path, base, size, scan(path, size, only_first=True).first, self._monotonic()))
        if self._segments:
            last = self._segments[-1]
            end = scan(last.path, last.size).end
            if end <= last.base:
                log.warning("the spool's last segment is damaged, put aside file=%s bytes=%d", last.path, last.size)
                last.path.rename(last.path.with_suffix(_CORRUPT))
                self._segments.pop()
            self._next = max(self._next, end, last.base)
        if self._segments:
            self._first = max(self._first, self._segments[0].base)
        else:
            self._first = self._next
        while len(self._segments) > 1 and self._segments[1].base <= self._first:
            self._remove(self._segments.pop(0))


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
