"""Rows of an answer to steps, where InfluxDB has not done it.  Pure.

Each function gives ``t``, ``v`` and ``n`` of a `Column`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import sub, truediv
from typing import Any, TypeAlias

from nodetide_core.rollup import CounterRollup, merge_counters
from nodetide_core.store import Aggregate
from nodetide_core.tiers import align_down

__all__ = [
    "Steps",
    "counter_samples",
    "counter_windows",
    "gauge_samples",
    "gauge_steps",
    "gauge_windows",
    "near",
    "present",
    "sampled_steps",
]

Steps: TypeAlias = tuple[Sequence[int], Sequence[float], Sequence[float]]

_NONE: Steps = ((), (), ())


def gauge_samples(times: Sequence[int], values: Sequence[Any], aggregate: Aggregate) -> Steps:
    """Steps of one second: the samples themselves."""
    times, values = present(times, values)
    ones = [1] * len(times)
    return times, ones if aggregate is Aggregate.COUNT else values, ones


def sampled_steps(times: Sequence[int], values: Sequence[Any], step: int, aggregate: Aggregate) -> Steps:
    """Steps of a few samples each."""
    times, values = present(times, values)
    if not times:
        return _NONE
    reduce = _REDUCE[aggregate]
    t, v, n = [], [], []
    for at, begin, end in _steps_of(times, step):
        t.append(at)
        v.append(reduce(values[begin:end]))
        n.append(end - begin)
    return t, v, n


def _steps_of(times: Sequence[int], step: int) -> Iterator[tuple[int, int, int]]:
    """Of each step that has samples: its start, the first of them and the one after the last."""
    begin, count = 0, len(times)
    while begin < count:
        at = times[begin] - times[begin] % step
        # The samples of a step are few, and mostly as many as there are seconds.
        end = bisect_left(times, at + step, begin, min(count, begin + step))
        yield at, begin, end
        begin = end


_REDUCE: Mapping[Aggregate, Callable[[Sequence[float]], float]] = {
    Aggregate.MEAN: lambda group: sum(group) / len(group),
    Aggregate.MIN: min,
    Aggregate.MAX: max,
    Aggregate.LAST: lambda group: group[-1],
    Aggregate.COUNT: len,
}


def gauge_steps(times: Sequence[int], values: Sequence[Any], counts: Sequence[Any]) -> Steps:
    """Steps that InfluxDB has made."""
    if None in values:
        kept = [row for row in zip(times, values, counts, strict=True) if row[1] is not None]
        return _columns(kept)
    return times, values, counts


def counter_samples(
    times: Sequence[int], values: Sequence[Any], *, start: int, step: int, gap: int, aggregate: Aggregate
) -> Steps:
    """Steps from the samples; those before ``start`` are there for the first growth only."""
    times, values = present(times, values)
    # Nearly always nothing is amiss, and then the last samples of the steps tell it all.
    if times and near(times, gap) and [*values] == sorted(values):
        return _steady(times, values, start, step, aggregate)
    last: dict[int, float] = {}
    increase: dict[int, float] = {}
    seconds: dict[int, int] = {}
    before_time, before = -gap - 1, 0.0
    for time, value in zip(times, values, strict=True):
        if time >= start:
            at = time - time % step
            last[at] = value
            if time - before_time <= gap:
                increase[at] = increase.get(at, 0) + (value - before if value >= before else value)
                seconds[at] = seconds.get(at, 0) + time - before_time
        before_time, before = time, value
    rolled = (CounterRollup(value, increase.get(at, 0), seconds.get(at, 0)) for at, value in last.items())
    return _answers(zip(last, rolled, strict=True), aggregate)


def _steady(times: Sequence[int], values: Sequence[float], start: int, step: int, aggregate: Aggregate) -> Steps:
    """Steps of a counter without resets and gaps."""
    first = bisect_left(times, start)
    before = max(0, first - 1)
    starts, ends = [], [before]
    for at, _, end in _steps_of(times[first:], step):
        starts.append(at)
        ends.append(first + end - 1)
    lasts, thens = [values[end] for end in ends], [times[end] for end in ends]
    seconds = list(map(sub, thens[1:], thens))
    if aggregate is Aggregate.LAST:
        return starts, lasts[1:], seconds
    increases = list(map(sub, lasts[1:], lasts))
    if aggregate is Aggregate.INCREASE:
        return starts, increases, seconds
    if seconds and not seconds[0]:
        # The first sample of all, with none before it to grow from.
        starts, increases, seconds = starts[1:], increases[1:], seconds[1:]
    return starts, list(map(truediv, increases, seconds)), seconds


def near(times: Sequence[int], gap: int) -> bool:
    """Whether no two samples, of one or more, are further apart than the gap."""
    return times[-1] - times[0] <= gap or max(map(sub, times[1:], times)) <= gap


def gauge_windows(
    times: Sequence[int],
    values: Sequence[Any],
    counts: Sequence[Any],
    *,
    window: int,
    step: int,
    aggregate: Aggregate,
) -> Steps:
    """Steps from the windows of a tier.

    Args:
        values: the minima for a minimum, the counts for a count, and so on; the means for a last value.
    """
    if step == window:
        return gauge_steps(times, values, counts)
    groups: dict[int, list[tuple[float, int]]] = {}
    for time, value, count in zip(times, values, counts, strict=True):
        if value is not None and count is not None:
            groups.setdefault(align_down(time, step), []).append((value, count))
    return _columns([(at, *_merged(parts, aggregate)) for at, parts in groups.items()])


def _merged(parts: Sequence[tuple[float, int]], aggregate: Aggregate) -> tuple[float, int]:
    values, counts = zip(*parts, strict=True)
    total = sum(counts)
    if aggregate is Aggregate.MEAN:
        return sum(value * count for value, count in parts) / total, total
    if aggregate is Aggregate.LAST:
        return values[-1], total
    if aggregate is Aggregate.COUNT:
        return total, total
    return min(values) if aggregate is Aggregate.MIN else max(values), total


def counter_windows(
    times: Sequence[int],
    lasts: Sequence[Any],
    increases: Sequence[Any],
    seconds: Sequence[Any],
    *,
    window: int,
    step: int,
    aggregate: Aggregate,
) -> Steps:
    """Steps from the windows of a tier; one without growth has only a last value."""
    if step == window and aggregate is Aggregate.RATE:
        # The commonest question, and every window that has seconds has the rest.
        return _columns(
            [(at, grown / over, over) for at, grown, over in zip(times, increases, seconds, strict=True) if over]
        )
    groups: dict[int, list[CounterRollup]] = {}
    for time, last, increase, observed in zip(times, lasts, increases, seconds, strict=True):
        if last is not None:
            groups.setdefault(align_down(time, step), []).append(CounterRollup(last, increase or 0, observed or 0))
    return _answers(((at, merge_counters(parts)) for at, parts in groups.items()), aggregate)


def _answers(steps: Iterable[tuple[int, CounterRollup]], aggregate: Aggregate) -> Steps:
    found: list[tuple[int, float, float]] = []
    for at, rollup in steps:
        if aggregate is Aggregate.LAST:
            found.append((at, rollup.last, rollup.seconds))
        elif aggregate is Aggregate.INCREASE:
            found.append((at, rollup.increase, rollup.seconds))
        elif rollup.seconds:
            found.append((at, rollup.increase / rollup.seconds, rollup.seconds))
    return _columns(found)


def present(times: Sequence[int], values: Sequence[Any]) -> tuple[Sequence[int], Sequence[Any]]:
    """The values that there are, with their times."""
    if None not in values:
        return times, values
    kept = [(time, value) for time, value in zip(times, values, strict=True) if value is not None]
    return ([time for time, _ in kept], [value for _, value in kept])


def _columns(rows: Sequence[tuple[int, Any, Any]]) -> Steps:
    if not rows:
        return _NONE
    t, v, n = zip(*rows, strict=True)
    return t, v, n
