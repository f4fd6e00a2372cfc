"""Calls a store's upkeep, again and again, in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from nodetide_core.errors import StoreError
from nodetide_core.store import StoreWriter

__all__ = ["Upkeep", "UpkeepState"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UpkeepState:
    """For health answers.

    Attributes:
        last_run: Unix time of the last call that succeeded; None before the first.
        error: why the last call failed; None when it succeeded.
        remaining: what the last call left for the next; see `nodetide_core.store.RollupReport`.
    """

    last_run: float | None = None
    error: str | None = None
    remaining: int = 0


class Upkeep:
    """Rolls up and expires every few seconds, at once again while something remains.

    A failure is logged when it begins or changes and when it ends, and tried again at the next turn.

    Args:
        interval: seconds between two turns.
        clock: Unix time.
    """

    def __init__(self, store: StoreWriter, *, interval: float = 5.0, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._interval = interval
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-upkeep", daemon=True)
        self._state = UpkeepState()

    @property
    def state(self) -> UpkeepState:
        return self._state

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float | None = None) -> bool:
        """Stop after the call that runs; whether it has ended within ``timeout`` seconds."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def turn(self) -> None:
        """One turn: calls until nothing remains, one fails or `stop` was called."""
        while True:
            now = self._clock()
            try:
                report = self._store.rollup(int(now))
            except StoreError as error:
                self._failed(str(error))
                return
            except Exception as error:  # noqa: BLE001 - upkeep must outlive what nobody foresaw
                self._failed(f"{type(error).__name__}: {error}", unforeseen=True)
                return
            if self._state.error is not None:
                _log.info("store upkeep works again")
            self._state = UpkeepState(now, None, report.remaining)
            if not report.remaining or self._stopping.is_set():
                return

    def _failed(self, message: str, *, unforeseen: bool = False) -> None:
        # What fails because everything is being closed is no news.
        if message != self._state.error and not self._stopping.is_set():
            _log.error("store upkeep fails: %s", message, exc_info=unforeseen)
        self._state = UpkeepState(self._state.last_run, message, self._state.remaining)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.turn()
            self._stopping.wait(self._interval)
