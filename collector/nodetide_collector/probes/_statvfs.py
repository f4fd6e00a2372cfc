"""Asking file systems for their size without ever waiting for a dead one."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from nodetide_collector.host import StatVfs

__all__ = ["HUNG", "NO_TIME", "TIMED_OUT", "TOO_MANY", "Answer", "StatVfsCaller"]

TIMED_OUT = "statvfs timed out"
HUNG = "statvfs still hangs"
NO_TIME = "statvfs not reached in time"
TOO_MANY = "too many mounts hang"

#: Threads that may hang at once, each in a mount of its own.
_MOST_HUNG = 32

#: What a path gave: the answer, the error, or one of the texts above.
Answer: TypeAlias = StatVfs | OSError | str


@dataclass(frozen=True)
class _Batch:
    """Paths handed to a worker, and its answers to the first of them, in order."""

    paths: list[bytes]
    answers: list[StatVfs | OSError] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)


class _Worker:
    """A thread that answers one path after the other until it is abandoned."""

    def __init__(self, statvfs: Callable[[bytes], StatVfs]) -> None:
        self._statvfs = statvfs
        self._asked: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="nodetide-statvfs", daemon=True)
        self._thread.start()

    def ask(self, batch: _Batch) -> None:
        self._asked.put(batch)

    def abandon(self) -> None:
        """It ends as soon as the call that it is in returns."""
        self._abandoned = True
        self._asked.put(None)

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (batch := self._asked.get()) is not None:
            for path in batch.paths:
                if self._abandoned:
                    return
                try:
                    batch.answers.append(self._statvfs(path))
                except OSError as error:
                    batch.answers.append(error)
            batch.done.set()


class StatVfsCaller:
    """Calls statvfs in one thread that stays, replaced only when a call in it hangs.

    A call on a dead network mount sleeps uninterruptibly for hours, and nothing can be done about the
    thread that made it.  So that thread is left alone with its mount, which is not asked again until
    the thread has come back, and a new one goes on with the rest.

    Args:
        patience: seconds without an answer after which a call counts as hanging.
        budget: seconds that all calls of one `call` may take.
    """

    def __init__(
        self,
        statvfs: Callable[[bytes], StatVfs],
        *,
        patience: float = 0.5,
        budget: float = 1.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._statvfs = statvfs
        self._patience = patience
        self._budget = budget
        self._clock = clock
        self._worker: _Worker | None = None
        self._hung: dict[bytes, _Worker] = {}

    def __del__(self) -> None:
        # The thread does not know of us, so that it ends when nobody can ask it any more.
        if self._worker is not None:
            self._worker.abandon()

    def call(self, paths: Iterable[bytes]) -> Mapping[bytes, Answer]:
        """An answer for every path, within the budget."""
        self._hung = {path: worker for path, worker in self._hung.items() if not worker.ended}
        answers: dict[bytes, Answer] = {}
        left: list[bytes] = []
        for path in dict.fromkeys(paths):
            if path in self._hung:
                answers[path] = HUNG
            else:
                left.append(path)
        deadline = self._clock() + self._budget
        while left:
            left = self._ask(left, answers, deadline)
        return answers

    def _ask(self, paths: list[bytes], answers: dict[bytes, Answer], deadline: float) -> list[bytes]:
        """Fills in answers until one is overdue; returns what is left for another worker."""
        if len(self._hung) >= _MOST_HUNG:
            answers.update(dict.fromkeys(paths, TOO_MANY))
            return []
        worker = self._worker = self._worker or _Worker(self._statvfs)
        batch = _Batch(paths)
        worker.ask(batch)
        seen = 0
        late = stuck = False
        while not (late or stuck) and not batch.done.wait(self._patience):
            late = self._clock() >= deadline
            stuck = len(batch.answers) == seen
            seen = len(batch.answers)
        if late or stuck:
            worker.abandon()
            self._worker = None
        # Only now: until it was abandoned, the worker may have gone on to another path.
        answered = list(batch.answers)
        answers.update(zip(paths, answered, strict=False))
        rest = paths[len(answered) :]
        if not rest:
            return []
        self._hung[rest[0]] = worker
        answers[rest[0]] = TIMED_OUT if stuck else NO_TIME
        if late:
            answers.update(dict.fromkeys(rest[1:], NO_TIME))
            return []
        return rest[1:]
