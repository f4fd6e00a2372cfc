"""Pieces of raw points as windows, and windows as rollups: `nodetide_core.rollup` for columns. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import sub
from typing import Any, NamedTuple

from nodetide_core.rollup import CounterRollup, GaugeRollup
from nodetide_core.stores.embedded.pieces import Piece
from nodetide_core.tiers import align_down

__all__ = ["Growth", "Window", "counters", "each_growth", "gauges", "growth", "windows"]


class Window(NamedTuple):
    start: int
    times: Sequence[int]
    values: Sequence[Any]


def windows(pieces: Iterable[Piece], width: int) -> Iterator[Window]:
    """Samples by window, in order; empty windows are absent."""
    start, times, values = -1, [], []  # type: int, Sequence[int], Sequence[Any]
    for piece_times, piece_values in pieces:
        at, count = 0, len(piece_times)
        while at < count:
            window = align_down(piece_times[at], width)
            end = bisect_left(piece_times, window + width, at)
            if window != start:
                if times:
                    yield Window(start, times, values)
                start, times, values = window, piece_times[at:end], piece_values[at:end]
            else:
                times, values = [*times, *piece_times[at:end]], [*values, *piece_values[at:end]]
            at = end
    if times:
        yield Window(start, times, values)


def gauges(pieces: Iterable[Piece], width: int) -> Iterator[tuple[int, GaugeRollup]]:
    for start, _, values in windows(pieces, width):
        yield start, GaugeRollup(sum(values) / len(values), min(values), max(values), len(values))


def counters(pieces: Iterable[Piece], width: int, gap: int) -> Iterator[tuple[int, CounterRollup]]:
    """Give also the samples of the ``gap`` seconds before the first window of interest."""
    before: tuple[int, Any] | None = None
    for start, times, values in windows(pieces, width):
        increase, seconds = growth(before, times, values, gap)
        yield start, CounterRollup(values[-1], increase, seconds)
        before = times[-1], values[-1]


class Growth(NamedTuple):
    increase: float
    seconds: int


def growth(before: tuple[int, Any] | None, times: Sequence[int], values: Sequence[Any], gap: int) -> Growth:
    """What a counter grew by over these samples, and the seconds over which that was seen.

    Args:
        before: time and value of the sample before them.
    """
    increase: float = 0
    seconds = 0
    if before is not None and times[0] - before[0] <= gap:
        step = values[0] - before[1]
        increase, seconds = (step if step >= 0 else values[0]), times[0] - before[0]
    steps = list(map(sub, values[1:], values))
    if not steps:
        return Growth(increase, seconds)
    # Where no two samples can be further apart, their distances need not be looked at.
    whole = times[-1] - times[0] <= gap or (isinstance(times, range) and times.step <= gap)
    if whole and min(steps) >= 0 and isinstance(steps[0], int):
        return Growth(increase + values[-1] - values[0], seconds + times[-1] - times[0])
    # Floats are added one by one, as the definition does, so that they agree to the last bit.
    if whole:
        for step, value in zip(steps, values[1:], strict=True):
            increase += step if step >= 0 else value
        return Growth(increase, seconds + times[-1] - times[0])
    for step, width, value in zip(steps, map(sub, times[1:], times), values[1:], strict=True):
        if width <= gap:
            increase += step if step >= 0 else value
            seconds += width
    return Growth(increase, seconds)


def each_growth(
    before: tuple[int, Any] | None, times: Sequence[int], values: Sequence[Any], gap: int
) -> list[tuple[Any, int]]:
    """For each sample, what it grew by and over how many seconds; 0 over 0 where that was not seen."""
    first_time, first = before or (times[0] - gap - 1, values[0])
    widths = map(sub, times, chain((first_time,), times))
    steps = map(sub, values, chain((first,), values))
    return [
        (step if step >= 0 else value, width) if width <= gap else (0, 0)
        for step, width, value in zip(steps, widths, values, strict=True)
    ]
