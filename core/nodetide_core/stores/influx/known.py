"""What InfluxDB tells of streams and watermarks, kept for a moment: every read asks for both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

__all__ = ["Known"]

_T = TypeVar("_T")


class Known:
    """Answers that may be some seconds old, by name; safe between threads.

    Args:
        seconds: for which an answer is used again.
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._generation = 0
        self._answers: dict[Hashable, tuple[float, Any]] = {}

    def get(self, name: Hashable, ask: Callable[[], _T]) -> _T:
        """The answer, asked for anew where it is too old; an error is passed on and not kept."""
        found = self.peek(name)
        if found is not None:
            return found[0]  # type: ignore[no-any-return]
        with self._lock:
            generation = self._generation
        answer = ask()
        with self._lock:
            if generation == self._generation:
                self._answers[name] = (self._monotonic() + self._seconds, answer)
        return answer

    def peek(self, name: Hashable) -> tuple[Any] | None:
        """The answer, if it is known and young enough."""
        with self._lock:
            until, answer = self._answers.get(name, (0.0, None))
            return (answer,) if until > self._monotonic() else None

    def forget(self) -> None:
        """Something changed: ask anew."""
        with self._lock:
            self._generation += 1
            self._answers.clear()
