"""When to send: after failures, and so that many nodes don't do it in the same instant. Pure."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

__all__ = ["Backoff", "next_flush", "phase"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits after failures in a row, in seconds: anything up to a bound that doubles (full jitter), so that
    senders that failed together don't come back together.

    Attributes:
        least: what is always waited, so that a lucky draw is no busy loop.
    """

    least: float = 0.25
    first: float = 1.0
    longest: float = 30.0

    def delay(self, failures: int, chance: float, asked: float | None = None) -> float:
        """
        Args:
            failures: at least 1.
            chance: uniform in [0, 1).
            asked: seconds that the server asks to wait, if it does; kept to up to ten times ``longest``, and
                what is added for spreading comes on top.
        """
        bound = min(self.longest, self.first * 2.0 ** min(failures - 1, 60))
        if asked is not None:
            return min(asked, 10 * self.longest) + chance * self.first
        return self.least + chance * (bound - self.least)


def phase(host: str, interval: float) -> float:
    """Where in an interval a host flushes, in seconds: always the same place, and spread evenly over hosts."""
    return zlib.crc32(host.encode("utf-8", "surrogateescape")) / 2**32 * interval


def next_flush(wall: float, interval: float, phase: float) -> float:
    """Seconds from a Unix time to the next flush, more than 0."""
    left = interval - math.fmod(wall - phase, interval)
    return left if left <= interval else left - interval
