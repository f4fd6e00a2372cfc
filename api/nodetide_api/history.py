"""History: values of a metric over time, one per step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nodetide_api.filters import HOST, Filters
from nodetide_api.plan import MAX_POINTS, Plan, Read, fields_of, make_plan, unit_of
from nodetide_api.timeparse import format_time
from nodetide_core.catalogue import CATALOGUE, Field, Kind, Selection
from nodetide_core.durations import parse_duration
from nodetide_core.errors import QueryError
from nodetide_core.store import Aggregate, Column, Stream

__all__ = ["STEP_PATTERN", "history_answer", "parse_step", "plan_history", "series_head"]

_BY_KIND: dict[Kind, dict[str, Aggregate]] = {
    Kind.GAUGE: {
        "mean": Aggregate.MEAN,
        "min": Aggregate.MIN,
        "max": Aggregate.MAX,
        "last": Aggregate.LAST,
        "count": Aggregate.COUNT,
    },
    Kind.COUNTER: {
        "mean": Aggregate.RATE,
        "rate": Aggregate.RATE,
        "last": Aggregate.LAST,
        "increase": Aggregate.INCREASE,
    },
}

#: What `parse_step` reads, for the OpenAPI document.
STEP_PATTERN = r"^(auto|[0-9]{1,10}|([0-9]{1,9}[wdhms]){1,5})$"


def parse_step(text: str) -> int | None:
    """Seconds of ``step``, or None for ``auto``.

    Raises:
        QueryError: neither ``auto``, nor a duration, nor a number of seconds.
    """
    if text == "auto":
        return None
    try:
        step = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else parse_duration(text)
    except ValueError:
        step = 0
    if step <= 0:
        raise QueryError("step", f"{text!r} is not a step; allowed: auto, a duration such as 30s or 5m, or seconds")
    return step


def plan_history(
    stream: Stream,
    selection: Selection,
    agg: str,
    filters: Filters,
    *,
    start: int,
    stop: int,
    now: int,
    step: int | None,
    max_points: int | None,
    default_points: int,
) -> Plan:
    """The plan of a history request.

    Args:
        max_points: most points per series, where the request says so.
        default_points: what ``step=auto`` aims at where it does not.

    Raises:
        QueryError: the aggregate does not apply to a field, or the answer would be too big.
    """
    return make_plan(
        stream,
        selection,
        _reads(fields_of(selection), agg),
        filters,
        start=start,
        stop=stop,
        now=now,
        step=step,
        points=max_points or default_points,
        limit=max_points or MAX_POINTS,
        size_parameter="max_points" if step is None else "step",
    )


def _reads(fields: Sequence[Field], agg: str) -> tuple[Read, ...]:
    by_aggregate: dict[Aggregate, list[str]] = {}
    for field in fields:
        aggregate = _BY_KIND[field.kind].get(agg)
        if aggregate is None:
            allowed = ", ".join(_BY_KIND[field.kind])
            raise QueryError("agg", f"{agg} does not apply to {field.name}, a {field.kind.value}; allowed: {allowed}")
        by_aggregate.setdefault(aggregate, []).append(field.name)
    return tuple(Read(aggregate, tuple(names)) for aggregate, names in by_aggregate.items())


def history_answer(plan: Plan, metric: str, agg: str, found: Mapping[Aggregate, Sequence[Column]]) -> dict[str, Any]:
    """A `models.History` as plain data; of values that are not finite JSON makes null."""
    fields = CATALOGUE[plan.measurement].by_name
    pairs = [(aggregate, column) for aggregate, columns in found.items() for column in columns]
    return {
        "metric": metric,
        "start": format_time(plan.start),
        "end": format_time(plan.stop),
        "step_seconds": plan.choice.step,
        "aggregate": agg,
        "tier": plan.choice.tier.name,
        "series": [
            series_head(column, fields[column.field], aggregate) | {"t": list(column.t), "v": list(column.v)}
            for aggregate, column in sorted(pairs, key=lambda pair: (pair[1].key, pair[1].field))
        ],
    }


def series_head(column: Column, field: Field, aggregate: Aggregate) -> dict[str, Any]:
    """What history and summary both say of a series."""
    tags = dict(column.key.tags)
    return {
        "host": tags.pop(HOST, ""),
        "measurement": column.key.measurement,
        "field": field.name,
        "tags": tags,
        "kind": field.kind.value,
        "unit": unit_of(field, aggregate),
    }
