"""The two clocks that the collector goes by, and how it waits."""

from __future__ import annotations

import threading
import time
from typing import NamedTuple, Protocol

__all__ = ["Clock", "Instant", "SystemClock"]

#: Two readings further apart than this were torn by the scheduler and are taken again.
_TORN = 0.02
_ATTEMPTS = 5


class Instant(NamedTuple):
    """One moment on both clocks, in seconds.

    Attributes:
        wall: since the Unix epoch; may jump.
        monotonic: since an arbitrary start; never jumps, and goes on while the machine is suspended.
    """

    wall: float
    monotonic: float


class Clock(Protocol):
    """Injected, so that tests can simulate delays, steps and suspends."""

    def now(self) -> Instant: ...

    def monotonic(self) -> float: ...

    def wait(self, seconds: float) -> None:
        """Sleep, or return at once if `wake` was called since the last wait."""

    def wake(self) -> None:
        """End the wait under way, or the next one. Safe in a signal handler and from any thread."""


class SystemClock:
    """The real clocks. Only one thread may `wait`."""

    def __init__(self) -> None:
        # A bare lock, because an Event's inner lock may be held by the very thread that a signal interrupts.
        self._bell = threading.Lock()
        self._bell.acquire()
        # CLOCK_MONOTONIC stands still during suspend on Linux, which would look like a jump of the wall clock.
        self._source = getattr(time, "CLOCK_BOOTTIME", None)

    def monotonic(self) -> float:
        return time.monotonic() if self._source is None else time.clock_gettime(self._source)

    def now(self) -> Instant:
        before = after = self.monotonic()
        wall = time.time()
        for _ in range(_ATTEMPTS):
            before, wall, after = self.monotonic(), time.time(), self.monotonic()
            if after - before < _TORN:
                break
        return Instant(wall, (before + after) / 2)

    def wait(self, seconds: float) -> None:
        self._bell.acquire(timeout=max(0.0, min(seconds, threading.TIMEOUT_MAX)))

    def wake(self) -> None:
        try:
            self._bell.release()
        except RuntimeError:
            return  # It rang already and nobody has waited since.
