"""Threads that call something again and again, when it is woken or due, and know whether it still does."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

__all__ = ["Loop"]

_log = logging.getLogger(__name__)

#: Seconds until a turn is tried again that failed in a way that nobody foresaw.
_AFTER_FAILURE = 5.0


class Loop:
    """
    Args:
        turn: given whether it is due by time, not only woken; gives the seconds after which it is to be called
            again at the latest, and None where it need not be before it is woken or due.
        interval: seconds between two turns that are due by time.
        settle: seconds that a turn waits after it was woken, so that what comes together is done together.
        share: most of the time that turns due by time may take; longer ones are spread further.
    """

    def __init__(
        self,
        name: str,
        turn: Callable[[bool], float | None],
        *,
        interval: float,
        settle: float = 0.0,
        share: float = 0.2,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._turn = turn
        self._interval = interval
        self._settle = settle
        self._share = share
        self._monotonic = monotonic
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._finished = monotonic()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def idle(self) -> float:
        """Seconds since a turn last came to its end as its author foresaw, well or not."""
        return self._monotonic() - self._finished

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Have a turn soon. From any thread."""
        self._woken.set()

    def end(self) -> None:
        """Begin no other turn."""
        self._stopping.set()
        self._woken.set()

    def stop(self, timeout: float) -> bool:
        """After the turn under way; whether it has ended in time."""
        self.end()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        due = again = self._monotonic()
        while not self._stopping.is_set():
            left = min(due, again) - self._monotonic()
            if left > 0 and not self._woken.wait(left):
                continue
            if self._stopping.wait(self._settle):
                return
            self._woken.clear()
            began = self._monotonic()
            by_time = began >= due
            try:
                after = self._turn(by_time)
                self._finished = self._monotonic()
            except Exception:  # noqa: BLE001
                # Whatever nobody foresaw, the next turn begins anew.
                _log.exception("%s: a turn failed", self._thread.name)
                after = _AFTER_FAILURE
            now = self._monotonic()
            again = math.inf if after is None else now + after
            if by_time:
                took = now - began
                due = now + max(self._interval, took / self._share - took)
