"""Summary: a period of a metric in eight numbers.

Gauges: ``min``, ``max``, ``mean``, ``last`` and ``count`` are of the samples themselves, on every
tier.  ``p50``, ``p95`` and ``p99`` are percentiles of the means of steps of ``resolution_seconds``,
which are the samples where that is the sampling interval.

Counters: all numbers are of the rates per second of the steps; the mean is the whole growth over the
whole time it was seen, and ``count`` is the number of steps that have a rate.

Percentiles interpolate linearly between the two nearest of the sorted values: percentile p lies at
position ``p / 100 * (n - 1)``, counted from 0 (definition 7 of Hyndman and Fan, NumPy's default).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import compress
from operator import mul
from typing import Any

from nodetide_api.filters import Filters
from nodetide_api.history import series_head
from nodetide_api.plan import MAX_POINTS, Plan, Read, fields_of, make_plan
from nodetide_api.timeparse import format_time
from nodetide_core.catalogue import CATALOGUE, Field, Kind, Selection
from nodetide_core.store import Aggregate, Column, Stream

__all__ = ["SUMMARY_POINTS", "percentile", "plan_summary", "summary_answer"]

_GAUGE_READS = (Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.LAST)

#: Steps that percentiles are taken over, at most: an hour of seconds.
SUMMARY_POINTS = 3600


def plan_summary(stream: Stream, selection: Selection, filters: Filters, period: int, *, now: int, stop: int) -> Plan:
    """The plan of a summary of the ``period`` seconds before ``stop``.

    Raises:
        QueryError: the metric is text, or the answer would be too big.
    """
    fields = fields_of(selection)
    plan = make_plan(
        stream,
        selection,
        _reads(fields, _GAUGE_READS),
        filters,
        start=max(0, stop - period),
        stop=stop,
        now=now,
        step=None,
        points=SUMMARY_POINTS,
        limit=MAX_POINTS,
        size_parameter="period",
    )
    if plan.choice.tier.window == 0 and plan.choice.step == 1:
        # One sample per second at most: the means are the samples, and say everything.
        return replace(plan, reads=_reads(fields, (Aggregate.MEAN,)))
    return plan


def _reads(fields: Sequence[Field], for_gauges: Sequence[Aggregate]) -> tuple[Read, ...]:
    gauges = tuple(field.name for field in fields if field.kind is Kind.GAUGE)
    counters = tuple(field.name for field in fields if field.kind is Kind.COUNTER)
    reads = [Read(aggregate, gauges) for aggregate in for_gauges] if gauges else []
    return (*reads, Read(Aggregate.RATE, counters)) if counters else tuple(reads)


def summary_answer(plan: Plan, metric: str, found: Mapping[Aggregate, Sequence[Column]]) -> dict[str, Any]:
    """A `models.Summary` as plain data; a series without a finite value is left out."""
    by_key = {
        aggregate: {(column.key, column.field): column.v for column in columns} for aggregate, columns in found.items()
    }
    fields = CATALOGUE[plan.measurement].by_name
    series = []
    for aggregate in (Aggregate.MEAN, Aggregate.RATE):
        for column in found.get(aggregate, ()):
            key = (column.key, column.field)
            low, high, last = (
                by_key.get(other, {}).get(key, column.v) for other in (Aggregate.MIN, Aggregate.MAX, Aggregate.LAST)
            )
            numbers = _numbers(column, low, high, last)
            if numbers:
                series.append((key, series_head(column, fields[column.field], aggregate) | numbers))
    return {
        "metric": metric,
        "start": format_time(plan.start),
        "end": format_time(plan.stop),
        "tier": plan.choice.tier.name,
        "resolution_seconds": plan.choice.step,
        "series": [answer for _, answer in sorted(series, key=lambda item: item[0])],
    }


def _numbers(column: Column, low: Sequence[float], high: Sequence[float], last: Sequence[float]) -> dict[str, float]:
    """The eight numbers, or nothing where there is no finite value."""
    values, weights = column.v, column.n
    total = sum(values)
    if not math.isfinite(total):  # nearly always all are, and so is their sum
        finite = [*map(math.isfinite, values)]
        values, weights = [*compress(values, finite)], [*compress(weights, finite)]
        total = sum(values)
    # Of samples themselves, all four are the same.
    low, high, last = (values if each is column.v else [*filter(math.isfinite, each)] for each in (low, high, last))
    if not (values and low and high and last):
        return {}
    ordered = sorted(values)
    weight = sum(weights)
    rates = CATALOGUE[column.key.measurement].by_name[column.field].kind is Kind.COUNTER
    return {
        "min": ordered[0] if low is values else min(low),
        "max": ordered[-1] if high is values else max(high),
        "mean": (total if weights.count(1) == len(values) else sum(map(mul, values, weights))) / weight,
        "p50": percentile(ordered, 50),
        "p95": percentile(ordered, 95),
        "p99": percentile(ordered, 99),
        "last": last[-1],
        "count": len(values) if rates else round(weight),
    }


def percentile(ordered: Sequence[float], p: float) -> float:
    """Percentile ``p`` (0 to 100) of at least one value in ascending order; see the module's text."""
    position = p / 100 * (len(ordered) - 1)
    below = math.floor(position)
    above = math.ceil(position)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
