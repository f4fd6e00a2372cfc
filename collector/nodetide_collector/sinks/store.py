"""Points to a store, from a thread of its own, so that a slow or absent store never delays a tick."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from nodetide_collector.sinks.sink import SinkStats
from nodetide_core.backoff import Backoff
from nodetide_core.errors import StoreUnavailable
from nodetide_core.points import Point
from nodetide_core.store import StoreWriter, Stream, WriteReport

__all__ = ["StoreSink"]

log = logging.getLogger(__name__)

#: Memory of a point and of one of its fields, in bytes, as measured with the default groups; about 12 MB at the
#: default limit.
_POINT_BYTES, _FIELD_BYTES = 130, 70
_JOIN_TIMEOUT = 0.5


class StoreSink:
    """Hands what has queued up to a store, one bucket at a time, in order.

    The store belongs to the caller, who closes it after this.

    Args:
        limit: points kept while the store does not take them; past it the oldest go.
        batch: points per write of the store, more only where one tick has more.
    """

    def __init__(
        self,
        store: StoreWriter,
        *,
        limit: int = 20_000,
        batch: int = 5_000,
        backoff: Backoff | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._limit = limit
        self._batch = batch
        self._backoff = backoff or Backoff(first=0.5)
        self._monotonic = monotonic
        self._state = threading.Condition()
        self._queue: deque[_Batch] = deque()
        self._in_flight: list[_Batch] = []
        self._count = 0
        self._streams: Sequence[Stream] | None = None
        self._ensuring = False
        self._written = 0
        self._dropped = 0
        self._urgent = False
        self._closed = False
        self._overflowing = False
        self._seen: set[str] = set()
        self._thread = threading.Thread(target=self._serve, name="nodetide-store", daemon=True)
        self._thread.start()

    def ensure(self, streams: Sequence[Stream]) -> None:
        """Have the store hold these streams before it is given the next points; does not block."""
        with self._state:
            self._streams = list(streams)
            self._state.notify_all()

    def write(self, bucket: str, points: Sequence[Point]) -> None:
        if not points:
            return
        with self._state:
            if self._closed:
                self._dropped += len(points)
                return
            self._queue.append(_Batch(bucket, points, self._monotonic()))
            self._count += len(points)
            self._trim()
            self._state.notify_all()

    def flush(self, timeout: float) -> int:
        with self._state:
            self._urgent = True
            self._state.notify_all()
            self._state.wait_for(lambda: not self._pending(), timeout)
            self._urgent = False
            return self._count

    def close(self) -> None:
        with self._state:
            if self._closed:
                return
            self._closed = True
            while self._queue:
                self._drop_oldest()
            self._state.notify_all()
        self._thread.join(_JOIN_TIMEOUT)
        with self._state:
            # A store that hangs has the last batch; nobody will learn what became of it.
            self._dropped += self._count
            self._count = 0
            self._in_flight = []
            self._queue.clear()

    def stats(self) -> SinkStats:
        with self._state:
            waiting = [*self._in_flight, *self._queue]
            oldest = self._monotonic() - waiting[0].at if waiting else 0.0
            return SinkStats(sum(b.bytes for b in waiting), oldest, self._written, self._dropped)

    def _pending(self) -> bool:
        return bool(self._count or self._streams is not None or self._ensuring)

    def _drop_oldest(self) -> None:
        lost = len(self._queue.popleft().points)
        self._count -= lost
        self._dropped += lost

    def _trim(self) -> None:
        while self._queue and self._count > self._limit:
            self._drop_oldest()
            if not self._overflowing:
                self._overflowing = True
                log.warning("the store does not keep up, dropping the oldest points limit=%d", self._limit)

    def _serve(self) -> None:
        failures = 0
        while True:
            with self._state:
                self._state.wait_for(lambda: self._closed or self._queue or self._streams is not None)
                if self._closed:
                    return
                streams, self._streams = self._streams, None
                self._ensuring = streams is not None
                self._take()
            try:
                if streams is not None:
                    self._attempt_ensure(streams)
                    streams = None
                self._attempt_write()
            except StoreUnavailable as error:
                failures += 1
                self._wait(failures, streams, error)
            else:
                if failures:
                    log.info("the store is back failures=%d points_dropped=%d", failures, self._dropped)
                failures = 0
                if self._count < self._limit / 2:
                    self._overflowing = False

    def _take(self) -> None:
        """Move the oldest bucket's batches, up to the size of one write, from the queue into flight."""
        bucket, count = self._queue[0].bucket if self._queue else "", 0
        kept: list[_Batch] = []
        while self._queue and count < self._batch:
            batch = self._queue.popleft()
            if batch.bucket == bucket:
                self._in_flight.append(batch)
                count += len(batch.points)
            else:
                kept.append(batch)
        self._queue.extendleft(reversed(kept))

    def _attempt_ensure(self, streams: Sequence[Stream]) -> None:
        try:
            self._store.ensure(streams)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - refused for good: the store goes on as it was, and we with it
            log.error("the store refuses the streams error=%s detail=%r", type(error).__name__, str(error))
        with self._state:
            self._ensuring = False
            self._state.notify_all()

    def _attempt_write(self) -> None:
        """Write what is in flight; after anything but StoreUnavailable it is gone, written or dropped."""
        batches = self._in_flight
        if not batches:
            return
        points = [point for batch in batches for point in batch.points]
        try:
            report = self._store.write(batches[0].bucket, points)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - the same call would fail again, so it must not stop the next
            self._complain(f"{type(error).__name__}: {error}", len(points))
            report = WriteReport(0)
        for rejected in report.rejected:
            self._complain(rejected.reason, rejected.count)
        with self._state:
            if self._in_flight:  # else it was given up by `close` in the meantime
                self._written += report.written
                self._dropped += len(points) - report.written
                self._count -= len(points)
            self._in_flight = []
            self._state.notify_all()

    def _wait(self, failures: int, streams: Sequence[Stream] | None, error: StoreUnavailable) -> None:
        """Put everything back, and wait before the next attempt unless someone is flushing."""
        if failures == 1:
            log.warning("the store is not available, keeping up to %d points error=%r", self._limit, str(error))
        seconds = max(error.retry_after, self._backoff.delay(failures, random.random()))  # noqa: S311 - guards nothing
        with self._state:
            self._queue.extendleft(reversed(self._in_flight))
            self._in_flight = []
            if self._streams is None:
                self._streams = streams
            self._ensuring = False
            self._trim()
            urgent = self._urgent
            if urgent:
                seconds = min(seconds, self._backoff.first)
            self._state.wait_for(lambda: self._closed or self._urgent > urgent, seconds)

    def _complain(self, reason: str, count: int) -> None:
        if reason not in self._seen and len(self._seen) < 100:
            self._seen.add(reason)
            log.error("the store refuses points, they are lost reason=%r count=%d", reason, count)


class _Batch:
    """Points of one bucket and tick, since when they wait, and roughly the memory they take."""

    __slots__ = ("at", "bucket", "bytes", "points")

    def __init__(self, bucket: str, points: Sequence[Point], at: float) -> None:
        self.bucket = bucket
        self.points = points
        self.at = at
        self.bytes = sum(_POINT_BYTES + _FIELD_BYTES * len(point.fields) for point in points)
