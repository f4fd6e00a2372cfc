"""The steps of a column as one value. Pure."""

from __future__ import annotations

import math
from operator import mul

from nodetide_core.store import Aggregate, Column

__all__ = ["fold", "predicted"]


def fold(column: Column, aggregate: Aggregate) -> float | None:
    """The aggregate of all steps, as a rollup has it: means weighted by samples, rates by the seconds over which
    growth was seen; None where there is nothing."""
    values = column.v
    if len(values) == 1:
        return values[0]
    if not values:
        return None
    if aggregate is Aggregate.MIN:
        return min(values)
    if aggregate is Aggregate.MAX:
        return max(values)
    if aggregate is Aggregate.LAST:
        return values[-1]
    total = sum(column.n)
    return sum(map(mul, values, column.n)) / total if total else None


def predicted(column: Column, step: int, at: int) -> float | None:
    """What a straight line through the steps reaches at ``at``; None where they are fewer than two.

    The line is that of least squares, each step weighing as many as its samples and standing at its middle; so it
    is the line through the samples themselves but for how they bend within a step.
    """
    if len(column.t) < 2:
        return None
    # From the time that is asked for, so that the numbers stay small and the intercept is the answer.
    times = [time + (step - 1) / 2 - at for time in column.t]
    total = math.fsum(column.n)
    time_mean = math.fsum(n * time for n, time in zip(column.n, times, strict=True)) / total
    mean = math.fsum(n * value for n, value in zip(column.n, column.v, strict=True)) / total
    spread = math.fsum(n * (time - time_mean) ** 2 for n, time in zip(column.n, times, strict=True))
    together = math.fsum(
        n * (time - time_mean) * (value - mean) for n, time, value in zip(column.n, times, column.v, strict=True)
    )
    return mean - together / spread * time_mean
