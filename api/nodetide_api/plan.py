"""From a question over a range to the reads that answer it. Pure: the store's state comes in as arguments."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nodetide_api.filters import Filters
from nodetide_core.catalogue import CATALOGUE, Field, Kind, Selection, Unit
from nodetide_core.errors import QueryError
from nodetide_core.points import Point
from nodetide_core.store import Aggregate, RangeQuery, Stream
from nodetide_core.tiers import Choice, Tiers, align_down, choose, segments

__all__ = [
    "MAX_POINTS",
    "MAX_VALUES",
    "Plan",
    "Read",
    "count_columns",
    "fields_of",
    "make_plan",
    "queries",
    "require_size",
    "unit_of",
]

#: Most points per series that a request may ask for: a day of seconds and some.
MAX_POINTS = 100_000

#: Most values of one answer, all series together.
MAX_VALUES = 1_000_000


@dataclass(frozen=True, slots=True)
class Read:
    """Fields that are read with one aggregate."""

    aggregate: Aggregate
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A range, cut into steps of one length, read from one tier and, behind its watermark, finer ones.

    Equal plans give equal answers, so a plan is also the name under which requests share one.

    Attributes:
        start, stop: ``[start, stop)``; ``start`` is the start of a step.
        size_parameter: the parameter to change where the answer would be too big.
    """

    stream: Stream
    measurement: str
    filters: Filters
    start: int
    stop: int
    choice: Choice
    reads: tuple[Read, ...]
    size_parameter: str

    @property
    def steps(self) -> int:
        return -(-(self.stop - self.start) // self.choice.step)

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(name for read in self.reads for name in read.fields)


def make_plan(
    stream: Stream,
    selection: Selection,
    reads: tuple[Read, ...],
    filters: Filters,
    *,
    start: int,
    stop: int,
    now: int,
    step: int | None,
    points: int,
    limit: int,
    size_parameter: str,
) -> Plan:
    """The plan of a range.

    Args:
        reads: which fields with which aggregate; all are fields of ``selection``'s measurement.
        step: seconds asked for, or None for about ``points`` points.
        limit: most points per series allowed.

    Raises:
        QueryError: the range is empty, or has more steps than ``limit``.
    """
    if start >= stop:
        raise QueryError("start_time", "must be before end_time")
    start = _held(stream.tiers, start, stop, now)
    choice = choose(stream.tiers, start, stop, now=now, interval=stream.interval, step=step, points=points)
    plan = Plan(
        stream=stream,
        measurement=selection.measurement,
        filters=filters.narrowed(selection.tags),
        start=align_down(start, choice.step),
        stop=stop,
        choice=choice,
        reads=reads,
        size_parameter=size_parameter,
    )
    points = math.ceil((stop - start) / choice.step)
    if step is not None and points > limit:
        least = math.ceil((stop - start) / limit)
        raise QueryError(
            "step", f"{choice.step}s gives {points:,} points per series; allowed: {limit:,}, so at least {least}s"
        )
    require_size(plan, len(plan.fields))
    return plan


def _held(tiers: Tiers, start: int, stop: int, now: int) -> int:
    """``start``, or the oldest moment any tier still keeps where that is later: steps are chosen for
    the part that can have data."""
    if any(tier.retention == 0 for tier in tiers.tiers):
        return start
    oldest = now - max(tier.retention for tier in tiers.tiers)
    return max(start, oldest) if oldest < stop else start


def require_size(plan: Plan, columns: int) -> None:
    """Refuses an answer of absurd size before it is read.

    Raises:
        QueryError: ``columns`` series of this plan hold more than `MAX_VALUES` values.
    """
    values = plan.steps * columns
    if values > MAX_VALUES:
        raise QueryError(
            plan.size_parameter,
            f"the answer would hold {values:,} values ({columns:,} series of {plan.steps:,} points); "
            f"allowed: {MAX_VALUES:,}; ask for a longer step, a shorter range, or fewer hosts, tags or fields",
        )


def count_columns(plan: Plan, points: Iterable[Point]) -> int:
    """How many series (one per field) the plan would give, going by one point of each series."""
    fields = plan.fields
    return sum(len(fields & point.fields.keys()) for point in points if plan.filters.matches(point.tags))


def queries(plan: Plan, read: Read, watermarks: Mapping[str, int]) -> list[RangeQuery]:
    """What to ask the store for one read, in time order; an answer reaches to ``stop`` on every tier."""
    return [
        RangeQuery(
            bucket=plan.stream.bucket,
            tier=part.tier,
            measurement=plan.measurement,
            fields=read.fields,
            start=part.start,
            stop=part.stop,
            step=plan.choice.step,
            aggregate=read.aggregate,
            tags=plan.filters.as_mapping(),
        )
        for part in segments(plan.stream.tiers, plan.choice, plan.start, plan.stop, watermarks)
    ]


def fields_of(selection: Selection) -> list[Field]:
    """The selection's fields.

    Raises:
        QueryError: it is text, which has no history.
    """
    found = [CATALOGUE[selection.measurement].by_name[name] for name in selection.fields]
    text = [field.name for field in found if field.kind is Kind.INFO]
    if text:
        raise QueryError("metric", f"{selection.measurement}.{text[0]} is text and has no history; see current")
    return found


def unit_of(field: Field, aggregate: Aggregate) -> str:
    """The unit of a field's values under an aggregate."""
    if aggregate is Aggregate.RATE:
        return field.unit.per_second
    return Unit.COUNT.value if aggregate is Aggregate.COUNT else field.unit.value
