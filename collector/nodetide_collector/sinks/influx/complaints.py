"""Telling people what goes wrong without flooding the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

__all__ = ["Complaints"]

log = logging.getLogger(__name__)


class Complaints:
    """Logs states once until they change, and losses up to a number a minute; the rest of those is summed up.

    Args:
        losses_per_minute: of `lost`, messages of their own.
    """

    def __init__(self, *, losses_per_minute: int = 10, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limit = losses_per_minute
        self._monotonic = monotonic
        self._state: dict[str, str] = {}
        self._minute = -60.0
        self._said = 0
        self._unsaid = 0

    def state(self, topic: str, key: str, message: str) -> None:
        """A lasting trouble.

        Args:
            key: what makes it another one: the message may differ from time to time.
        """
        if self._state.get(topic) != key:
            self._state[topic] = key
            log.error("%s: %s", topic, message)

    def clear(self, topic: str, message: str) -> None:
        """The trouble is over."""
        if self._state.pop(topic, None) is not None:
            log.info("%s: %s", topic, message)

    def lost(self, topic: str, reason: str, count: int) -> None:
        """Lines that are lost for good."""
        now = self._monotonic()
        if now - self._minute >= 60.0:
            self._minute, self._said = now, 0
            if self._unsaid:
                log.error("further lines were refused and are lost lines=%d", self._unsaid)
                self._unsaid = 0
        if self._said < self._limit:
            self._said += 1
            log.error("%s: InfluxDB refuses lines, they are lost lines=%d reason=%s", topic, count, reason)
        else:
            self._unsaid += count
