"""Line protocol to a file or to standard output.

Each `LinesSink.write` is one write of the operating system, so that a reader sees whole ticks.  Two
streams in one file are told apart by a comment: ``# bucket NAME`` stands wherever the bucket is not
that of the lines before; with one stream there is none.

What cannot be written now (disk full, reader gone or slow) is kept up to a limit and tried again
with the next tick; past the limit the oldest goes, whole lines at a time.
"""

from __future__ import annotations

import logging
import os
import select
import stat
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from nodetide_collector.sinks.sink import SinkStats
from nodetide_core.lineprotocol import Encoder
from nodetide_core.points import Point

__all__ = ["LinesSink", "open_lines"]

log = logging.getLogger(__name__)

#: A pipe that polls as writable takes at least so much without blocking (pipe(7)).
_PIPE_CHUNK = select.PIPE_BUF
_FLUSH_PAUSE = 0.02

#: Writes some of the data without blocking and returns how much; raises OSError.
WriteSome = Callable[[int, memoryview], int]


def open_lines(path: Path, *, limit: int = 4 * 2**20) -> LinesSink:
    """A sink that appends to a file.

    Raises:
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size and os.pread(descriptor, 1, status.st_size - 1) != b"\n":
        os.write(descriptor, b"\n")  # a writer before us died in the middle of a line
    return LinesSink(descriptor, name=str(path), limit=limit, owned=True)


class LinesSink:
    """Writes to an open descriptor.

    Args:
        name: what the log calls it.
        limit: bytes kept while they cannot be written.
        owned: whether `close` closes the descriptor.
        write: injected by tests; by default regular files are written at once, and anything else
            only as far as it takes data without blocking.
    """

    def __init__(
        self,
        descriptor: int,
        *,
        name: str = "stdout",
        limit: int = 4 * 2**20,
        owned: bool = False,
        write: WriteSome | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._descriptor = descriptor
        self._name = name
        self._limit = limit
        self._owned = owned
        self._write: WriteSome = write or (os.write if _is_regular(descriptor) else _write_ready)
        self._monotonic = monotonic
        self._encoder = Encoder()
        self._bucket: str | None = None
        self._held: deque[_Batch] = deque()
        self._held_bytes = 0
        self._written = 0
        self._dropped = 0
        self._logged = ""
        self._reader_gone = False
        self._closed = False

    def write(self, bucket: str, points: Sequence[Point]) -> None:
        data = self._encoder.encode(points)
        if data:
            self._hold(_Batch(bucket, memoryview(data), data.count(b"\n"), self._monotonic()))
            self._drain()
            self._trim()

    def flush(self, timeout: float) -> int:
        end = self._monotonic() + timeout
        self._drain()
        while self._held and not self._reader_gone and self._monotonic() < end:
            time.sleep(_FLUSH_PAUSE)
            self._drain()
        return sum(batch.points for batch in self._held)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        while self._held:
            self._drop(0)
        if self._owned:
            os.close(self._descriptor)

    def stats(self) -> SinkStats:
        oldest = self._monotonic() - self._held[0].at if self._held else 0.0
        return SinkStats(self._held_bytes, oldest, self._written, self._dropped)

    def _hold(self, batch: _Batch) -> None:
        self._held.append(batch)
        self._held_bytes += len(batch.data)

    def _drop(self, index: int) -> None:
        batch = self._held[index]
        del self._held[index]
        self._held_bytes -= len(batch.data)
        self._dropped += batch.points

    def _trim(self) -> None:
        """Drop the oldest past the limit, but never the rest of a line whose start stands in the file."""
        while self._held_bytes > self._limit:
            index = 1 if self._held[0].torn else 0
            if index == len(self._held):
                return
            self._drop(index)

    def _drain(self) -> None:
        """Write the held batches in order until one does not go through as a whole."""
        while self._held:
            batch = self._held.popleft()
            self._held_bytes -= len(batch.data)
            head = b"" if self._bucket in (None, batch.bucket) else f"# bucket {batch.bucket}\n".encode()
            data = memoryview(head + batch.data) if head else batch.data
            self._reader_gone = False
            try:
                count, problem = self._write(self._descriptor, data), "the reader does not keep up"
            except OSError as error:
                self._reader_gone = isinstance(error, BrokenPipeError)
                count, problem = 0, error.strerror or type(error).__name__
            if count:
                self._bucket = batch.bucket
            if count < len(data):
                self._put_back(batch, data, count, in_head=count < len(head))
                self._complain(problem)
                return
            self._written += batch.points
        if self._logged:
            log.info("writing again file=%s points_dropped=%d", self._name, self._dropped)
            self._logged = ""

    def _put_back(self, batch: _Batch, data: memoryview, count: int, *, in_head: bool) -> None:
        """Hold again what is left of a batch; the line that the write ended in stands by itself."""
        if count == 0:
            parts = [batch]
        else:
            rest = bytes(data[count:])
            cut = rest.index(b"\n") + 1
            torn = _Batch(batch.bucket, memoryview(rest[:cut]), 0 if in_head else 1, batch.at, torn=True)
            left = _Batch(batch.bucket, memoryview(rest[cut:]), rest[cut:].count(b"\n"), batch.at)
            self._written += batch.points - torn.points - left.points
            parts = [part for part in (torn, left) if part.data]
        for part in reversed(parts):
            self._held.appendleft(part)
            self._held_bytes += len(part.data)

    def _complain(self, problem: str) -> None:
        if problem != self._logged:
            self._logged = problem
            log.warning("cannot write, keeping up to %d bytes file=%s error=%r", self._limit, self._name, problem)


class _Batch:
    """Lines of one tick, as far as they are not written yet.

    Attributes:
        torn: it is the rest of a line whose start is written.
    """

    __slots__ = ("at", "bucket", "data", "points", "torn")

    def __init__(self, bucket: str, data: memoryview, points: int, at: float, *, torn: bool = False) -> None:
        self.bucket = bucket
        self.data = data
        self.points = points
        self.at = at
        self.torn = torn


def _is_regular(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _write_ready(descriptor: int, data: memoryview) -> int:
    """Write as far as a pipe, terminal or socket takes it now, without changing its blocking mode,
    which others may share with us."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    done = 0
    while done < len(data) and poll.poll(0):
        try:
            done += os.write(descriptor, data[done : done + _PIPE_CHUNK])
        except OSError:
            if done:
                return done  # the next attempt meets the error again
            raise
    return done
