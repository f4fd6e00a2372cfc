"""What a rollup holds: the definition that every store must match.

For a gauge ``f``: ``f`` is the mean, with ``f_min``, ``f_max`` and ``f_count``; so a dashboard works
on every tier by switching the bucket, and means of means can be weighted.

For a counter ``f``: ``f`` is the last value, ``f_increase`` what it grew by, and ``f_seconds`` the
time over which that growth was seen; so a rate is ``f_increase / f_seconds`` whatever the gaps.  A
step between two consecutive samples counts where they are no further apart than
``Tiers.counter_gap``, and belongs to the window of the later one; a value lower than the one before
is a reset, and what it shows has grown from 0.

A wider tier is made from the one before: sums, minima and maxima of its parts, means weighted by
count, the last of the lasts.  Text has no rollup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nodetide_core.tiers import align_down

__all__ = [
    "CounterRollup",
    "GaugeRollup",
    "Sample",
    "counter_windows",
    "gauge_windows",
    "merge_counters",
    "merge_gauges",
]

#: Seconds after its end that a window is rolled up: what is written late by less costs nothing, what
#: comes later has the window rolled up again.
SETTLE = 2


class Sample(NamedTuple):
    """One value of one field at one Unix second."""

    time: int
    value: float


class GaugeRollup(NamedTuple):
    mean: float
    min: float
    max: float
    samples: int


class CounterRollup(NamedTuple):
    last: float
    increase: float
    seconds: int


def gauge_windows(samples: Sequence[Sample], window: int) -> dict[int, GaugeRollup]:
    """Rollups by window start; ``samples`` are in time order, one per second at most."""
    groups: dict[int, list[float]] = {}
    for time, value in samples:
        groups.setdefault(align_down(time, window), []).append(value)
    return {
        start: GaugeRollup(sum(values) / len(values), min(values), max(values), len(values))
        for start, values in groups.items()
    }


def counter_windows(samples: Sequence[Sample], window: int, gap: int) -> dict[int, CounterRollup]:
    """Rollups by window start; ``samples`` are in time order, one per second at most.

    Give also the samples of the ``gap`` seconds before the first window of interest, and drop the
    windows that they fall in.
    """
    found: dict[int, CounterRollup] = {}
    before: Sample | None = None
    for sample in samples:
        start = align_down(sample.time, window)
        _, increase, seconds = found.get(start, (0.0, 0, 0))
        if before is not None and sample.time - before.time <= gap:
            step = sample.value - before.value
            increase += step if step >= 0 else sample.value
            seconds += sample.time - before.time
        found[start] = CounterRollup(sample.value, increase, seconds)
        before = sample
    return found


def merge_gauges(parts: Iterable[GaugeRollup]) -> GaugeRollup:
    """One rollup of several, in time order, at least one."""
    means, lows, highs, counts = zip(*parts, strict=True)
    count = sum(counts)
    mean = sum(mean * n for mean, n in zip(means, counts, strict=True)) / count
    return GaugeRollup(mean, min(lows), max(highs), count)


def merge_counters(parts: Iterable[CounterRollup]) -> CounterRollup:
    """One rollup of several, in time order, at least one."""
    lasts, increases, seconds = zip(*parts, strict=True)
    return CounterRollup(lasts[-1], sum(increases), sum(seconds))
