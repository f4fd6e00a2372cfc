"""Samples and rolled-up windows as the steps of an answer. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, groupby
from typing import Any, NamedTuple, TypeAlias

from nodetide_core.rollup import CounterRollup, GaugeRollup, merge_counters, merge_gauges
from nodetide_core.store import Aggregate
from nodetide_core.stores.embedded.pieces import Piece
from nodetide_core.stores.embedded.windows import each_growth, growth, windows
from nodetide_core.tiers import align_down

__all__ = ["Steps", "counter_row_steps", "counter_steps", "gauge_row_steps", "gauge_steps"]


class Steps(NamedTuple):
    """As in `nodetide_core.store.Column`."""

    t: list[int]
    v: list[Any]
    n: list[float]


_Row: TypeAlias = tuple[int, Any]

_OF_VALUES: dict[Aggregate, Callable[[Sequence[Any]], float]] = {
    Aggregate.MEAN: lambda values: sum(values) / len(values),
    Aggregate.MIN: min,
    Aggregate.MAX: max,
    Aggregate.LAST: lambda values: values[-1],
    Aggregate.COUNT: len,
}

_OF_GAUGE: dict[Aggregate, Callable[[GaugeRollup, GaugeRollup], float]] = {
    Aggregate.MEAN: lambda all, _: all.mean,
    Aggregate.MIN: lambda all, _: all.min,
    Aggregate.MAX: lambda all, _: all.max,
    Aggregate.LAST: lambda _, last: last.mean,
    Aggregate.COUNT: lambda all, _: all.samples,
}


def gauge_steps(pieces: Iterable[Piece], width: int, aggregate: Aggregate) -> Steps:
    steps = Steps([], [], [])
    if width == 1 and aggregate is not Aggregate.COUNT:
        for times, values in pieces:
            steps.t.extend(times)
            steps.v.extend(values)
        steps.n.extend([1] * len(steps.t))
        return steps
    combine = _OF_VALUES[aggregate]
    for start, _, values in windows(pieces, width):
        steps.t.append(start)
        steps.v.append(combine(values))
        steps.n.append(len(values))
    return steps


def counter_steps(pieces: Iterable[Piece], start: int, width: int, gap: int, aggregate: Aggregate) -> Steps:
    """
    Args:
        pieces: with the samples of the ``gap`` seconds before ``start``, which only serve the first
            step after them.
    """
    before: tuple[int, Any] | None = None
    steps = Steps([], [], [])
    rest = iter(pieces)
    for times, values in rest:
        at = bisect_left(times, start)
        if at:
            before = times[at - 1], values[at - 1]
        if at < len(times):
            rest = chain([(times[at:], values[at:])], rest)
            break
    if width == 1:
        for times, values in rest:
            _add_each(steps, aggregate, times, values, each_growth(before, times, values, gap))
            before = times[-1], values[-1]
        return steps
    for step, times, values in windows(rest, width):
        _add_counter(steps, aggregate, step, CounterRollup(values[-1], *growth(before, times, values, gap)))
        before = times[-1], values[-1]
    return steps


def _add_each(
    steps: Steps, aggregate: Aggregate, times: Sequence[int], values: Sequence[Any], grown: Sequence[tuple[Any, int]]
) -> None:
    """As `_add_counter`, for a step a sample."""
    if aggregate is Aggregate.RATE:
        seen = [(time, step, width) for time, (step, width) in zip(times, grown, strict=True) if width]
        steps.t.extend([time for time, _, _ in seen])
        steps.v.extend([step / width for _, step, width in seen])
        steps.n.extend([width for _, _, width in seen])
        return
    steps.t.extend(times)
    steps.v.extend(values if aggregate is Aggregate.LAST else [step for step, _ in grown])
    steps.n.extend([width for _, width in grown])


def _add_counter(steps: Steps, aggregate: Aggregate, start: int, made: CounterRollup) -> None:
    last, increase, seconds = made
    if aggregate is Aggregate.RATE:
        if not seconds:
            return
        value: float = increase / seconds
    else:
        value = last if aggregate is Aggregate.LAST else increase
    steps.t.append(start)
    steps.v.append(value)
    steps.n.append(seconds)


def gauge_row_steps(rows: Iterable[tuple[int, GaugeRollup]], width: int, aggregate: Aggregate) -> Steps:
    """
    Args:
        rows: window starts and what the windows hold, in order.
    """
    steps = Steps([], [], [])
    pick = _OF_GAUGE[aggregate]
    for start, group in groupby(rows, lambda row: align_down(row[0], width)):
        parts = [made for _, made in group]
        made = parts[0] if len(parts) == 1 else merge_gauges(parts)
        steps.t.append(start)
        steps.v.append(pick(made, parts[-1]))
        steps.n.append(made.samples)
    return steps


def counter_row_steps(rows: Iterable[tuple[int, CounterRollup]], width: int, aggregate: Aggregate) -> Steps:
    steps = Steps([], [], [])
    for start, group in groupby(rows, lambda row: align_down(row[0], width)):
        _add_counter(steps, aggregate, start, merge_counters(made for _, made in group))
    return steps
