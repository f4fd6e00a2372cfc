"""What is taken for one bucket and not written yet: on disk, or while that fails in memory; bounded both."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from nodetide_collector.sinks.influx.frames import Batch
from nodetide_collector.sinks.influx.reading import Cut, Limits, same_hour
from nodetide_collector.sinks.influx.segments import SegmentLog

__all__ = ["Load", "Spool"]

log = logging.getLogger(__name__)

#: An append that takes longer, in seconds, makes ticks late: the disk is then left alone for a while.
_SLOW = 0.25
_SLOW_PAUSE, _ERROR_PAUSE = 10.0, 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """Batches for one request, until `Spool.settle`.

    Attributes:
        cut: where they stand in the log; None if they were in memory.
    """

    batches: tuple[Batch, ...]
    cut: Cut | None

    @property
    def lines(self) -> int:
        return sum(batch.packed.count for batch in self.batches)


class Spool:
    """One thread puts, one other takes and settles; any may ask.

    Args:
        name: what the log calls it.
        open_log: opens the files; raises OSError, and is called again until it doesn't.
        max_bytes: of the files; past it the oldest go.
        memory_bytes: of what is kept while the files can't be written; past it the oldest go.

    Attributes:
        dropped: lines lost: past a bound, or damaged on disk.
    """

    def __init__(
        self,
        name: str,
        open_log: Callable[[], SegmentLog],
        *,
        max_bytes: int,
        memory_bytes: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.dropped = 0
        self._name = name
        self._open_log = open_log
        self._max_bytes = max_bytes
        self._memory_bytes = memory_bytes
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._log: SegmentLog | None = None
        self._memory: deque[Batch] = deque()
        self._memory_size = 0
        self._taken: Load | None = None
        self._retry_at = 0.0
        self._trouble = ""
        self._overflowing = False
        with self._lock:
            self._restore()

    def put(self, batch: Batch) -> None:
        """Take a batch; never fails."""
        with self._lock:
            self._memory.append(batch)
            self._memory_size += len(batch.packed.data)
            if self._monotonic() >= self._retry_at:
                self._restore()
            self._trim()

    def take(self, limits: Limits) -> Load | None:
        """The oldest batches, at least one, to be settled; None if there is nothing.

        What was taken before and is not settled is taken again, with more where there is more that follows on it.
        """
        with self._lock:
            files, taken = self._log, self._taken
            again = taken is not None and taken.cut is None  # older than what went to disk meanwhile
            self._put_back()
            on_disk = files is not None and files.lines > 0
            if again or (self._memory and taken is None and not on_disk):
                # What else is in memory came later than what is on disk.
                most = len(taken.batches) if taken is not None and on_disk else len(self._memory)
                self._taken = Load(self._pop(limits, most), None)
                return self._taken
        cut = files.read(limits, taken.cut if taken is not None else None) if files is not None else None
        with self._lock:
            self._taken = Load(cut.batches, cut) if cut is not None else None
            if cut is None:
                self._overflowing = False
            return self._taken

    def settle(self, load: Load) -> None:
        """Let go of what was taken."""
        with self._lock:
            self._taken = None
            files = self._log
            if load.cut is not None and load.cut.lost:
                self.dropped += load.cut.lost
                log.error("the spool is damaged, lines are lost bucket=%s lines=%d", self._name, load.cut.lost)
        if load.cut is not None and files is not None:
            files.acknowledge(load.cut)

    def sync(self) -> None:
        """Have the disk hold what is in full files; may take long."""
        if self._log is not None:
            self._log.sync()

    def close(self) -> int:
        """Leave everything on disk; returns the lines that cannot be left there, which are lost."""
        with self._lock:
            self._put_back()
            self._restore()
            lost = sum(batch.packed.count for batch in self._memory) + self._orphaned()
            self._taken = None
            self._memory.clear()
            self._memory_size = 0
            self.dropped += lost
            if self._log is not None:
                self._log.close()
                self._log = None
            return lost

    @property
    def lines(self) -> int:
        """Held, with those that are taken."""
        with self._lock:
            held = [*self._memory, *(self._taken.batches if self._taken and self._taken.cut is None else ())]
            return sum(batch.packed.count for batch in held) + (self._log.lines if self._log else 0)

    @property
    def bytes(self) -> int:
        with self._lock:
            return self._memory_size + (self._log.pending_bytes if self._log else 0)

    @property
    def oldest(self) -> int | None:
        """Time of the oldest line, Unix seconds; None if there is none."""
        with self._lock:
            times = [self._log.oldest] if self._log else []
            times += [self._taken.batches[0].first] if self._taken and self._taken.batches else []
            times += [self._memory[0].first] if self._memory else []
            return min((time for time in times if time is not None), default=None)

    def _restore(self) -> None:
        """Write what is in memory to the files, as far as they take it."""
        started = self._monotonic()
        try:
            if self._log is None:
                self._log = self._open_log()
            while self._memory:
                self._log.append(self._memory[0])
                self._memory_size -= len(self._memory.popleft().packed.data)
        except OSError as error:
            self._retry_at = self._monotonic() + _ERROR_PAUSE
            self._complain(error.strerror or str(error))
            return
        took = self._monotonic() - started
        if took > _SLOW:
            self._retry_at = self._monotonic() + _SLOW_PAUSE
            self._complain(f"it took {took:.1f} s")
        elif self._trouble:
            self._trouble = ""
            log.info("the spool is written to disk again bucket=%s", self._name)

    def _trim(self) -> None:
        while self._log is not None and self._log.bytes > self._max_bytes:
            if not self._drop_from_disk():
                break
        while self._memory_size > self._memory_bytes and self._memory:
            # The oldest goes, and on a full disk it makes room for what follows.
            if self._drop_from_disk():
                self._restore()
                continue
            batch = self._memory.popleft()
            self._memory_size -= len(batch.packed.data)
            self._drop(batch.packed.count)

    def _drop_from_disk(self) -> bool:
        try:
            lost = self._log.drop_oldest() if self._log is not None else None
        except OSError:  # a read-only disk; what is in memory goes instead
            return False
        if lost is not None:
            self._drop(lost)
        return lost is not None

    def _drop(self, lines: int) -> None:
        self.dropped += lines
        if lines and not self._overflowing:
            self._overflowing = True
            log.error(
                "the spool is full, dropping the oldest lines bucket=%s disk_limit=%d memory_limit=%d",
                self._name, self._max_bytes, self._memory_bytes,
            )  # fmt: skip

    def _pop(self, limits: Limits, most: int) -> tuple[Batch, ...]:
        """Take batches out of memory, so many at most."""
        found = [self._memory.popleft()]
        lines, size = found[0].packed.count, len(found[0].packed.data)
        while self._memory and len(found) < most:
            batch = self._memory[0]
            lines, size = lines + batch.packed.count, size + len(batch.packed.data)
            if lines > limits.lines or size > limits.size or not same_hour(found[0], batch):
                break
            found.append(self._memory.popleft())
        self._memory_size -= sum(len(batch.packed.data) for batch in found)
        return tuple(found)

    def _put_back(self) -> None:
        """Undo `_pop`, if that is what was taken."""
        if self._taken is not None and self._taken.cut is None:
            self._memory.extendleft(reversed(self._taken.batches))
            self._memory_size += sum(len(batch.packed.data) for batch in self._taken.batches)
            self._taken = None

    def _orphaned(self) -> int:
        """Lines that were taken before the disk had to drop them, and are nowhere else."""
        taken, files = self._taken, self._log
        if taken is None or taken.cut is None or files is None or files.holds(taken.cut):
            return 0
        return taken.lines

    def _complain(self, problem: str) -> None:
        if problem != self._trouble:
            self._trouble = problem
            log.error(
                "the spool cannot be written to disk, keeping up to %d bytes in memory bucket=%s error=%r",
                self._memory_bytes, self._name, problem,
            )  # fmt: skip
