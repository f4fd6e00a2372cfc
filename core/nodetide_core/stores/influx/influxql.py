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
    "first_points",
    "hosts_known",
    "newest_by_host",
    "newest_of",
    "newest_points",
    "newest_reports",
    "newest_reports_and_hosts",
    "newest_reports_and_points",
    "newest_times",
    "newest_times_and_series",
    "points_before",
    "points_of",
    "policy_reports",
    "raw_samples",
    "raw_steps",
    "report_counts",
    "rolled_report_counts",
    "rolled_windows",
]

#: What every collector writes at each pass, whatever its policy: one series for each host.
REPORT, REPORT_FIELD, REPORT_TAGS = "collector", "success", {"group": frozenset({"all"})}

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

    @property
    def path(self) -> str:
        return f"/query?{urlencode({'db': self.bucket, 'epoch': 's'}, quote_via=quote)}"

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


def _select(columns: str, measurement: str, where: str, grouped: str = "", more: str = "") -> str:
    """A statement; names in it are quoted, values bound."""
    group = f" GROUP BY {grouped}" if grouped else ""
    return f"SELECT {columns} FROM {influxql_name(measurement)} WHERE {where}{group}{more}"  # noqa: S608


def _of(query: RangeQuery, columns: Iterable[str], start: int, grouped: str) -> Request:
    values = _Values()
    where = _where(start, query.stop, query.tags, values)
    text = _select(", ".join(columns), query.measurement, where, grouped)
    return Request(query.tier.bucket(query.bucket), text, values.bound)


def raw_samples(query: RangeQuery, start: int) -> Request:
    """The samples of ``[start, query.stop)``, a column for each field."""
    return _of(query, map(influxql_name, query.fields), start, "*")


def raw_steps(query: RangeQuery) -> Request:
    """For each field two columns: the value of each step, and its samples; one where these are the same, or not
    asked for."""
    columns = []
    for field in map(influxql_name, query.fields):
        if query.aggregate is not Aggregate.COUNT:
            columns.append(f"{_FUNCTIONS[query.aggregate]}({field})")
        if query.aggregate is Aggregate.COUNT or query.weights:
            columns.append(f"count({field})")
    return _of(query, columns, query.start, f"time({query.step}s), * fill(none)")


def rolled_windows(query: RangeQuery, suffixes: Sequence[str]) -> Request:
    """For each field a column for each suffix."""
    columns = (influxql_name(field + suffix) for field in query.fields for suffix in suffixes)
    return _of(query, columns, query.start, "*")


def newest_points(bucket: str, measurements: Iterable[str], hosts: frozenset[str], start: int) -> Request:
    """The newest two points of each series since ``start``; a statement for each measurement."""
    values = _Values()
    return Request(bucket, _newest_points(measurements, hosts, start, values), values.bound)


def newest_reports_and_points(
    bucket: str, measurements: Iterable[str], hosts: frozenset[str], start: int, points_start: int
) -> Request:
    """`newest_reports`, and then `newest_points`."""
    values = _Values()
    reports = _newest_reports(hosts, start, values)
    return Request(bucket, f"{reports}; {_newest_points(measurements, hosts, points_start, values)}", values.bound)


def _newest_points(measurements: Iterable[str], hosts: frozenset[str], start: int, values: _Values) -> str:
    where = _where(start, None, {"host": hosts} if hosts else {}, values)
    more = " ORDER BY time DESC LIMIT 2"
    return "; ".join(_select("*", name, where, "*", more) for name in measurements)


def points_of(
    bucket: str, fields: Mapping[str, Sequence[str]], hosts: frozenset[str], start: int, stop: int
) -> Request:
    """The points of ``[start, stop)``: a statement for each measurement, a column for each of its fields.

    Args:
        fields: by measurement.
        hosts: an empty name is that of series without a host.
    """
    return _each(bucket, fields, hosts, start, stop)


def points_before(
    bucket: str, fields: Mapping[str, Sequence[str]], hosts: frozenset[str], start: int, stop: int
) -> Request:
    """The same, but of each series its last point alone."""
    return _each(bucket, fields, hosts, start, stop, more=" ORDER BY time DESC LIMIT 1")


def _each(
    bucket: str, fields: Mapping[str, Sequence[str]], hosts: frozenset[str], start: int, stop: int, *, more: str = ""
) -> Request:
    values = _Values()
    where = _where(start, stop, {"host": hosts}, values)
    texts = [_select(", ".join(map(influxql_name, names)), name, where, "*", more) for name, names in fields.items()]
    return Request(bucket, "; ".join(texts), values.bound)


def first_points(bucket: str, measurements: Iterable[str], start: int) -> Request:
    """The first point of each measurement since ``start``."""
    more = " ORDER BY time ASC LIMIT 1"
    return Request(bucket, "; ".join(_select("*", name, f"time >= {start}s", more=more) for name in measurements), {})


def hosts_known(bucket: str, measurements: Iterable[str]) -> Request:
    """The hosts that the index knows; some of their points may be gone."""
    names = ", ".join(map(influxql_name, measurements))
    return Request(bucket, f'SHOW TAG VALUES FROM {names} WITH KEY = "host"', {})


def newest_by_host(bucket: str, measurements: Iterable[str], hosts: frozenset[str], start: int) -> Request:
    """The newest point of each of these hosts in each measurement."""
    values = _Values()
    where = _where(start, None, {"host": hosts}, values)
    more = " ORDER BY time DESC LIMIT 1"
    return Request(bucket, "; ".join(_select("*", name, where, "host", more) for name in measurements), values.bound)


def newest_of(bucket: str, fields: Mapping[str, Sequence[str]]) -> Request:
    """The newest point of each series, however old: a statement for each measurement, a column for each of its
    fields."""
    texts = [
        f"SELECT {', '.join(map(influxql_name, names))} FROM {influxql_name(name)} "  # noqa: S608
        "GROUP BY * ORDER BY time DESC LIMIT 1"
        for name, names in fields.items()
    ]
    return Request(bucket, "; ".join(texts), {})


def newest_times_and_series(bucket: str, measurement: str, field: str | None, start: int) -> Request:
    """`newest_times`, and the series that the index knows; some of their points may be gone, or without the field."""
    newest = newest_times(bucket, measurement, field, start)
    # With a condition on the time it would cost ten times as much.
    known = f"SHOW SERIES FROM {influxql_name(measurement)}"
    return Request(bucket, f"{newest.text}; {known}", newest.parameters)


def newest_times(
    bucket: str,
    measurement: str,
    field: str | None,
    start: int,
    *,
    stop: int | None = None,
    hosts: frozenset[str] = frozenset(),
) -> Request:
    """The newest point of each series since ``start``; with a field, if one is named.

    Args:
        hosts: an empty name is that of series without a host; no names: all.
    """
    values = _Values()
    where = _where(start, stop, {"host": hosts} if hosts else {}, values)
    if field is not None:
        return Request(bucket, _select(f"last({influxql_name(field)})", measurement, where, "*"), values.bound)
    more = " ORDER BY time DESC LIMIT 1"
    return Request(bucket, _select("*", measurement, where, "*", more), values.bound)


def newest_reports(bucket: str, start: int, hosts: frozenset[str] = frozenset()) -> Request:
    """The newest sample of what every collector reports of itself, by host; of these hosts, or of all."""
    values = _Values()
    return Request(bucket, _newest_reports(hosts, start, values), values.bound)


def _newest_reports(hosts: frozenset[str], start: int, values: _Values) -> str:
    where = _where(start, None, {**REPORT_TAGS, **({"host": hosts} if hosts else {})}, values)
    return _select(f'last("{REPORT_FIELD}")', REPORT, where, "host")


def policy_reports(bucket: str, start: int) -> Request:
    """The newest policy hash that each host's collector reported, and the series that it left out then."""
    values = _Values()
    where = _where(start, None, REPORT_TAGS, values)
    columns = 'last("policy_hash"), "over_budget"'
    return Request(bucket, _select(columns, REPORT, where, "host"), values.bound)


def newest_reports_and_hosts(bucket: str, measurements: Iterable[str], start: int) -> Request:
    """`newest_reports` of all hosts, and `hosts_known`."""
    reports, known = newest_reports(bucket, start), hosts_known(bucket, measurements)
    return Request(bucket, f"{reports.text}; {known.text}", {**reports.parameters, **known.parameters})


def report_counts(bucket: str, start: int, stop: int, window: int) -> Request:
    """Samples of the same by host and window, from the raw points."""
    values = _Values()
    where = _where(start, stop, REPORT_TAGS, values)
    grouped = f"time({window}s), host fill(none)"
    return Request(bucket, _select(f'count("{REPORT_FIELD}")', REPORT, where, grouped), values.bound)


def rolled_report_counts(bucket: str, start: int, stop: int) -> Request:
    """The same from the windows of a tier."""
    values = _Values()
    where = _where(start, stop, REPORT_TAGS, values)
    return Request(bucket, _select(f'"{REPORT_FIELD}_count"', REPORT, where, "host"), values.bound)
