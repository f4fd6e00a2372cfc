"""When to send, so that many nodes don't do it in the same instant. Pure."""

from __future__ import annotations

import math
import zlib

__all__ = ["next_flush", "phase"]


def phase(host: str, interval: float) -> float:
    """Where in an interval a host flushes, in seconds: always the same place, and spread evenly over hosts."""
    return zlib.crc32(host.encode("utf-8", "surrogateescape")) / 2**32 * interval


def next_flush(wall: float, interval: float, phase: float) -> float:
    """Seconds from a Unix time to the next flush, more than 0."""
    left = interval - math.fmod(wall - phase, interval)
    return left if left <= interval else left - interval
