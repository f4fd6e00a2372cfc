"""Answers to range queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from nodetide_core.catalogue import Catalogue, Kind
from nodetide_core.points import SeriesKey
from nodetide_core.store import Aggregate, Column, RangeQuery, Stream
from nodetide_core.stores.influx import influxql, steps
from nodetide_core.stores.influx.answers import Columns, ask_columns
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.growing import growing_samples, is_short_and_wide
from nodetide_core.stores.influx.steps import Steps

__all__ = ["read"]

#: What a tier holds of a gauge for each aggregate, besides the weight.
_GAUGE_SUFFIX = {Aggregate.MIN: "_min", Aggregate.MAX: "_max", Aggregate.COUNT: "_count"}
#: No series can have this tag; in a condition it would mean the points' time.
_TIME = "time"
#: Samples of a step below which reading them costs InfluxDB less than making the step.
_NARROW = 10
#: Rows of a series up to which they are read sooner from JSON.
_FEW = 8


def read(caller: Caller, query: RangeQuery, stream: Stream, catalogue: Catalogue, *, org: str) -> list[Column]:
    """The answer to a query that `check_query` found good.

    Args:
        org: for what is asked in Flux.

    Raises:
        StoreUnavailable, StoreRejected
    """
    tags = {name: frozenset(filter(None, values)) for name, values in query.tags.items()}
    if query.start >= query.stop or not query.fields or _TIME in tags or not all(tags.values()):
        return []
    columns: list[Column] = []
    for kind in (Kind.GAUGE, Kind.COUNTER):
        fields = tuple(name for name in query.fields if catalogue[query.measurement].by_name[name].kind is kind)
        if fields:
            part = _Part(replace(query, fields=fields, tags=tags), stream, org)
            columns += part.gauges(caller) if kind is Kind.GAUGE else part.counters(caller)
    return sorted(columns, key=lambda column: (column.key, column.field))


class _Part:
    """A query for fields of one kind."""

    def __init__(self, query: RangeQuery, stream: Stream, org: str) -> None:
        self._query = query
        self._org = org
        self._gap = stream.tiers.counter_gap
        self._interval = stream.interval

    def gauges(self, caller: Caller) -> Iterator[Column]:
        query = self._query
        if query.tier.window == 0 and query.step == 1:
            for key, (times, *columns) in self._ask(caller, influxql.raw_samples(query, query.start), self._interval):
                for name, values in zip(query.fields, columns, strict=True):
                    yield from _column(key, name, steps.gauge_samples(times, values, query.aggregate))
        elif query.tier.window == 0 and query.step < _NARROW * self._interval:
            for key, (times, *columns) in self._ask(caller, influxql.raw_samples(query, query.start), self._interval):
                for name, values in zip(query.fields, columns, strict=True):
                    yield from _column(key, name, steps.sampled_steps(times, values, query.step, query.aggregate))
        elif query.tier.window == 0:
            counted = query.aggregate is Aggregate.COUNT
            width = 2 if query.weights and not counted else 1
            for key, (times, *columns) in self._ask(caller, influxql.raw_steps(query), query.step):
                for index, name in enumerate(query.fields):
                    of_field = columns[index * width : (index + 1) * width]
                    weights = of_field[-1] if query.weights or counted else [1] * len(times)
                    yield from _column(key, name, steps.gauge_steps(times, of_field[0], weights))
        else:
            yield from self._gauge_windows(caller)

    def _gauge_windows(self, caller: Caller) -> Iterator[Column]:
        query = self._query
        suffix = _GAUGE_SUFFIX.get(query.aggregate, "")
        suffixes = (suffix,) if suffix == "_count" else (suffix, "_count")
        for key, (times, *columns) in self._ask(caller, influxql.rolled_windows(query, suffixes), query.tier.window):
            for index, name in enumerate(query.fields):
                of_field = columns[index * len(suffixes) : (index + 1) * len(suffixes)]
                values, counts = of_field[0], of_field[-1]
                made = steps.gauge_windows(
                    times, values, counts, window=query.tier.window, step=query.step, aggregate=query.aggregate
                )
                yield from _column(key, name, made)

    def counters(self, caller: Caller) -> Iterator[Column]:
        query = self._query
        if query.tier.window == 0:
            counters = steps.CounterSteps(start=query.start, step=query.step, gap=self._gap)
            for key, name, times, values in self._counter_samples(caller):
                yield from _column(key, name, counters.make(times, values, query.aggregate))
            return
        # A rate needs no last values; without them there is a third less to read.
        rate = query.aggregate is Aggregate.RATE and query.step == query.tier.window
        suffixes = ("_increase", "_seconds") if rate else ("", "_increase", "_seconds")
        for key, (times, *columns) in self._ask(caller, influxql.rolled_windows(query, suffixes), query.tier.window):
            for index, name in enumerate(query.fields):
                of_field = columns[index * len(suffixes) : (index + 1) * len(suffixes)]
                made = steps.counter_windows(
                    times,
                    of_field[0],
                    *of_field[-2:],
                    window=query.tier.window,
                    step=query.step,
                    aggregate=query.aggregate,
                )
                yield from _column(key, name, made)

    def _counter_samples(self, caller: Caller) -> Iterator[tuple[SeriesKey, str, Sequence[int], Sequence[Any]]]:
        """By series and field, with one before the range, at which the first growth starts."""
        query = self._query
        if is_short_and_wide(query, self._gap):
            found = growing_samples(caller, self._org, query, interval=self._interval, gap=self._gap)
            yield from ((key, name, *samples) for key, name, samples in found)
            return
        request = influxql.raw_samples(query, query.start - self._gap)
        for key, (times, *columns) in self._ask(caller, request, self._interval):
            yield from ((key, name, times, values) for name, values in zip(query.fields, columns, strict=True))

    def _ask(self, caller: Caller, request: influxql.Request, every: int) -> list[Columns]:
        """
        Args:
            every: seconds between two rows.
        """
        query = self._query
        many = query.stop - query.start > _FEW * every
        return ask_columns(caller, request, doing=f"reading {query.measurement} from {request.bucket}", many=many)


def _column(key: SeriesKey, name: str, made: Steps) -> Iterator[Column]:
    t, v, n = made
    if t:
        yield Column(key, name, t, v, n)
