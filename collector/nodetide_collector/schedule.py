"""When to sample: pure decisions from readings of two clocks.

A group of interval k is due once per window of k seconds, the windows aligned to the epoch: at the
second divisible by k, or, where that one was missed, at the next tick of the same window.  A sample
carries the second it was really taken in; what was missed is counted, never made up.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

from nodetide_collector.clock import Instant

__all__ = ["STEP", "Decision", "Timeline", "count_due", "decide", "is_due"]

#: Seconds by which wall and monotonic clock must part to count as a step. Slewing moves both alike.
STEP = 0.5

#: Shortest wait, so that a wake-up a hair too early cannot spin.
_MIN_WAIT = 0.0005

#: Seconds counted at a time, which bounds the memory that the end of a long suspend takes.
_SIEVE = 1 << 16


class Timeline(NamedTuple):
    """Where the schedule stands.

    Attributes:
        last: the second of the last tick, on the wall clock as it runs now.
        offset: wall less monotonic seconds, as of the last tick or step.
    """

    last: int
    offset: float

    @classmethod
    def starting(cls, now: Instant) -> Timeline:
        """The first tick is the next second: a tick late in this one would make a short first interval."""
        return cls(math.floor(now.wall), now.wall - now.monotonic)


class Decision(NamedTuple):
    """What to do now.

    Attributes:
        tick: the second to sample now, or None to wait.
        wait: seconds until the next tick; 0 with a tick.
        missed: seconds that were due since the last tick and were not sampled.
        stepped: seconds by which the wall clock was seen to jump, else 0.
    """

    timeline: Timeline
    tick: int | None
    wait: float
    missed: int
    stepped: float


def decide(timeline: Timeline, now: Instant, intervals: Collection[int], *, force: bool = False) -> Decision:
    """Tick or wait.

    A step of the wall clock ends the old time line, with what was missed on it up to the step, and
    begins a new one: no second that never was is missed, and nobody waits for the old time.

    Args:
        intervals: seconds, of all groups.
        force: something is to be sampled at the next second whatever the intervals say.
    """
    last, offset = timeline
    second = math.floor(now.wall)
    now_offset = now.wall - now.monotonic
    stepped, missed = now_offset - offset, 0
    if abs(stepped) > STEP:
        missed = count_due(last + 1, math.floor(now.wall - stepped), intervals)
        last, offset = max(math.floor(last + stepped), second - 1), now_offset
    else:
        stepped = 0.0
    if second > last and (force or any(is_due(second, last, interval) for interval in intervals)):
        missed += count_due(last + 1, second, intervals)
        return Decision(Timeline(second, now_offset), second, 0.0, missed, stepped)
    base = max(second, last)
    if not intervals:  # nothing is due, so whoever comes later has missed none of it
        last = base
    following = base + 1 if force else min((base - base % k + k for k in intervals), default=base + 1)
    return Decision(Timeline(last, offset), None, max(following - now.wall, _MIN_WAIT), missed, stepped)


def is_due(second: int, last: int | None, interval: int) -> bool:
    """Whether the window of ``second`` has no sample yet, the last one being of ``last``."""
    return last is None or second // interval != last // interval


def count_due(start: int, stop: int, intervals: Collection[int]) -> int:
    """How many seconds of ``[start, stop)`` are divisible by at least one interval."""
    if 1 in intervals:
        return max(0, stop - start)
    total = 0
    for begin in range(start, stop, _SIEVE):
        size = min(_SIEVE, stop - begin)
        sieve = bytearray(size)
        for interval in intervals:
            first = -begin % interval
            sieve[first::interval] = b"\1" * len(range(first, size, interval))
        total += sum(sieve)
    return total
