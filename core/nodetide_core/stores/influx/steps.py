"""Rows of an answer to steps, where InfluxDB has not done it.  Pure.

Each function gives ``t``, ``v`` and ``n`` of a `Column`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress, pairwise
from operator import lt, sub, truediv
from typing import Any, NamedTuple, TypeAlias

from nodetide_core.rollup import CounterRollup, merge_counters
from nodetide_core.store import Aggregate
from nodetide_core.tiers import align_down

__all__ = [
    "CounterSteps",
    "Steps",
    "counter_windows",
    "gauge_samples",
    "gauge_steps",
    "gauge_windows",
    "growth",
    "present",
    "sampled_steps",
]

Steps: TypeAlias = tuple[Sequence[int], Sequence[float], Sequence[float]]

_NONE: Steps = ((), (), ())
#: Of so many samples one is looked at first: where they are near each other, those between are, too.
_SOME = 64


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
    begin, count, looks = 0, len(times), 2
    while begin < count:
        at = times[begin] - times[begin] % step
        # The samples of a step are few, and mostly as many as there are seconds.
        end = bisect_left(times, at + step, begin, min(count, begin + step))
        # Nearly always all the others are like the first that is whole.
        if looks > 0 and times[begin :: end - begin] == [*range(at, times[-1] + 1, step)]:
            begins = range(begin, count, end - begin)
            yield from zip(times[begin :: end - begin], begins, [*begins[1:], count], strict=True)
            return
        yield at, begin, end
        begin, looks = end, looks - 1


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


class CounterSteps:
    """Steps of counters from their samples.

    The fields of a series mostly have the same times, which are then looked at once.

    Args:
        start: samples before it are there for the first growth only.
        gap: seconds between two samples over which growth is not counted.
    """

    def __init__(self, *, start: int, step: int, gap: int) -> None:
        self._start = start
        self._step = step
        self._gap = gap
        self._frame: _Frame | None = None

    def make(self, times: Sequence[int], values: Sequence[Any], aggregate: Aggregate) -> Steps:
        times, values = present(times, values)
        if self._frame is None or self._frame.times is not times:
            self._frame = _frame(times, self._start, self._step, self._gap)
        _, first, starts, ends, seconds, gaps = self._frame
        if not starts:
            return _NONE
        lasts = [values[end] for end in ends]
        increases = [*map(sub, lasts[1:], lasts)]
        # Nearly always the last samples of the steps tell it all.
        broken = {bisect_left(ends, at, 1) - 1 for at in (*gaps, *_resets(values, first))}
        if broken:
            seconds = [*seconds]
            for index in broken:
                part = slice(ends[index], ends[index + 1] + 1)
                increases[index], seconds[index] = growth(times[part], values[part], self._gap)
        if aggregate is Aggregate.LAST:
            return starts, lasts[1:], seconds
        if aggregate is Aggregate.INCREASE:
            return starts, increases, seconds
        if not all(seconds):
            starts, increases, seconds = ([*compress(column, seconds)] for column in (starts, increases, seconds))
        return starts, [*map(truediv, increases, seconds)], seconds


class _Frame(NamedTuple):
    """What the times of samples tell of their steps.

    Attributes:
        first: the sample at which the first growth starts.
        ends: it, and the last sample of each step.
        seconds: of each step, from the last sample of the one before.
        gaps: samples that come too long after the one before.
    """

    times: Sequence[int]
    first: int
    starts: Sequence[int]
    ends: Sequence[int]
    seconds: Sequence[int]
    gaps: Sequence[int]


def _frame(times: Sequence[int], start: int, step: int, gap: int) -> _Frame:
    begin = bisect_left(times, start)
    first = max(0, begin - 1)
    starts, ends = [], [first]
    for at, _, end in _steps_of(times[begin:], step):
        starts.append(at)
        ends.append(begin + end - 1)
    if not starts:
        return _Frame(times, first, (), ends, (), ())
    thens = [times[end] for end in ends]
    near = _near(times[first:], gap)
    gaps = [] if near else [at for at in range(first + 1, len(times)) if times[at] - times[at - 1] > gap]
    return _Frame(times, first, starts, ends, [*map(sub, thens[1:], thens)], gaps)


def _resets(values: Sequence[float], first: int) -> Iterator[int]:
    """The samples after ``first`` that are below the one before."""
    grown = [*values[first:]]
    if grown != sorted(grown):  # in order it is soon told
        yield from compress(range(first + 1, len(values)), map(lt, grown[1:], grown))


def growth(times: Sequence[int], values: Sequence[float], gap: int) -> tuple[float, int]:
    """By how much a counter grew from the first of these samples to the last, and the seconds over which that was
    seen."""
    if _near(times, gap) and [*values] == sorted(values):
        return values[-1] - values[0], times[-1] - times[0]
    increase: float = 0
    seconds = 0
    for (at, low), (then, high) in pairwise(zip(times, values, strict=True)):
        if then - at <= gap:
            increase += high - low if high >= low else high
            seconds += then - at
    return increase, seconds


def _near(times: Sequence[int], gap: int) -> bool:
    """Whether no two samples, of one or more, are further apart than the gap."""
    some = [*times[::_SOME], times[-1]]
    return _widest(some) <= gap or _widest(times) <= gap


def _widest(times: Sequence[int]) -> int:
    return max(map(sub, times[1:], times), default=0)


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
