"""A thread that is there only while there is something to do."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable

__all__ = ["Worker"]

_log = logging.getLogger(__name__)

#: Seconds of the longest wait that the platform takes for one.
_LONGEST = 3600.0
_AFTER_ERROR = 10.0


class Worker:
    """Calls ``step`` until it returns infinity, and again after `wake`.

    Args:
        step: returns the seconds until it is to be called again.
    """

    def __init__(self, name: str, step: Callable[[], float]) -> None:
        self._name = name
        self._step = step
        self._changed = threading.Condition()
        self._awake = False
        self._ended = False
        self._starved = False
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Call ``step`` soon; where there are too many threads, the next time that this is called."""
        with self._changed:
            if self._ended:
                return
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    if not self._starved:
                        _log.error("%s has to wait for a thread: %s", self._name, error)
                    self._starved = True
                    return
                self._thread, self._starved = thread, False
            else:
                self._awake = True
                self._changed.notify()

    def end(self) -> None:
        """Call ``step`` no more; one call may be under way."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def join(self, timeout: float) -> bool:
        """Wait for the call under way after `end`; returns whether it has ended."""
        thread = self._thread
        if thread is not None:
            thread.join(max(0.0, timeout))
        return thread is None or not thread.is_alive()

    def _run(self) -> None:
        while self._again(self._called()):
            pass

    def _called(self) -> float:
        try:
            return self._step()
        except Exception:  # noqa: BLE001 (a thread that ends by an error tells nobody anything)
            _log.exception("%s failed, which is an error of Nodetide; it is tried again", self._name)
            return _AFTER_ERROR

    def _again(self, wait: float) -> bool:
        """Wait so many seconds, or until woken; returns whether to call again."""
        with self._changed:
            if wait != math.inf:
                self._changed.wait_for(lambda: self._awake or self._ended, min(wait, _LONGEST))
            again = not self._ended and (self._awake or wait != math.inf)
            self._awake = False
            if not again:
                self._thread = None
            return again
