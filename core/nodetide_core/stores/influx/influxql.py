"""InfluxQL texts.  Pure.

Names come from the catalogue and are quoted; whatever a client sends is a bound parameter, never a
part of the text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from nodetide_core.store import Aggregate, RangeQuery
from nodetide_core.stores.influx.quoting import influxql_name

__all__ = [
    "Request",
    "counts_by_host",
    "first_points",
    "hosts_known",
    "newest_by_host",
    "newest_of",
    "newest_points",
    "raw_samples",
    "raw_steps",
    "rolled_windows",
]

_FUNCTIONS = {
    Aggregate.MEAN: "mean",
    Aggregate.MIN: "min",
    Aggregate.MAX: "max",
    Aggregate.LAST: "last",
}


@dataclass(frozen=True, slots=True)
class Request:
    """Statements over one bucket, and the values bound in them."""

    bucket: str
    text: str
    parameters: Mapping[str, str]

    def path(self, org_id: str) -> str:
        return f"/query?{urlencode({'orgID': org_id, 'db': self.bucket, 'epoch': 's'}, quote_via=quote)}"

    def body(self) -> bytes:
        """A form, which may be longer than a URL."""
        return urlencode({"q": self.text, "params": json.dumps(self.parameters)}).encode()


class _Values:
    """Values bound so far."""

    def __init__(self) -> None:
        self.bound: dict[str, str] = {}

    def bind(self, value: str) -> str:
        name = f"v{len(self.bound)}"
        self.bound[name] = value
        return f"${name}"

    def one_of(self, tag: str, values: Iterable[str]) -> str:
        # `::tag`, for a field of the same name would come first.
        either = " OR ".join(f"{influxql_name(tag)}::tag = {self.bind(value)}" for value in sorted(values))
        return f"({either})"


def _where(start: int, stop: int | None, tags: Mapping[str, frozenset[str]], values: _Values) -> str:
    conditions = [f"time >= {start}s"]
    if stop is not None:
        conditions.append(f"time < {stop}s")
    conditions += [values.one_of(tag, allowed) for tag, allowed in sorted(tags.items())]
    return " AND ".join(conditions)


def _of(query: RangeQuery, selected: Iterable[str], start: int, grouped: str) -> Request:
    values = _Values()
    where = _where(start, query.stop, query.tags, values)
    text = f"SELECT {', '.join(selected)} FROM {influxql_name(query.measurement)} WHERE {where} GROUP BY {grouped}"
    return Request(query.tier.bucket(query.bucket), text, values.bound)


def raw_samples(query: RangeQuery, start: int) -> Request:
    """The samples of ``[start, query.stop)``, a column for each field."""
    return _of(query, map(influxql_name, query.fields), start, "*")


def raw_steps(query: RangeQuery) -> Request:
    """For each field two columns: the value of each step, and its samples."""
    columns = []
    for field in map(influxql_name, query.fields):
        if query.aggregate is not Aggregate.COUNT:
            columns.append(f"{_FUNCTIONS[query.aggregate]}({field})")
        columns.append(f"count({field})")
    return _of(query, columns, query.start, f"time({query.step}s), * fill(none)")


def rolled_windows(query: RangeQuery, suffixes: Sequence[str]) -> Request:
    """For each field a column for each suffix."""
    columns = (influxql_name(field + suffix) for field in query.fields for suffix in suffixes)
    return _of(query, columns, query.start, "*")


def newest_points(bucket: str, measurements: Iterable[str], hosts: frozenset[str], start: int) -> Request:
    """The newest two points of each series since ``start``; a statement for each measurement."""
    values = _Values()
    where = _where(start, None, {"host": hosts} if hosts else {}, values)
    text = "; ".join(
        f"SELECT * FROM {influxql_name(name)} WHERE {where} GROUP BY * ORDER BY time DESC LIMIT 2"
        for name in measurements
    )
    return Request(bucket, text, values.bound)


def first_points(bucket: str, measurements: Iterable[str], start: int) -> Request:
    """The first point of each measurement since ``start``."""
    text = "; ".join(
        f"SELECT * FROM {influxql_name(name)} WHERE time >= {start}s ORDER BY time ASC LIMIT 1" for name in measurements
    )
    return Request(bucket, text, {})


def newest_by_host(
    bucket: str, measurement: str, field: str, start: int, tags: Mapping[str, frozenset[str]]
) -> Request:
    """The newest value of a field by host."""
    values = _Values()
    where = _where(start, None, tags, values)
    text = f"SELECT last({influxql_name(field)}) FROM {influxql_name(measurement)} WHERE {where} GROUP BY host"
    return Request(bucket, text, values.bound)


def hosts_known(bucket: str, measurements: Iterable[str]) -> Request:
    """The hosts that the index knows; some of their points may be gone."""
    names = ", ".join(map(influxql_name, measurements))
    return Request(bucket, f'SHOW TAG VALUES FROM {names} WITH KEY = "host"', {})


def newest_of(bucket: str, measurements: Iterable[str], hosts: frozenset[str], start: int) -> Request:
    """The newest point of each host in each measurement."""
    values = _Values()
    where = _where(start, None, {"host": hosts}, values)
    text = "; ".join(
        f"SELECT * FROM {influxql_name(name)} WHERE {where} GROUP BY host ORDER BY time DESC LIMIT 1"
        for name in measurements
    )
    return Request(bucket, text, values.bound)


def counts_by_host(
    bucket: str, measurement: str, field: str, start: int, stop: int, window: int, tags: Mapping[str, frozenset[str]]
) -> Request:
    """Samples of a field by host and window."""
    values = _Values()
    where = _where(start, stop, tags, values)
    text = (
        f"SELECT count({influxql_name(field)}) FROM {influxql_name(measurement)} WHERE {where}"
        f" GROUP BY time({window}s), host fill(none)"
    )
    return Request(bucket, text, values.bound)
