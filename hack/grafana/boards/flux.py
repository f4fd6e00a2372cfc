"""The Flux of panels and variables. It works on every tier, for a rollup keeps a field's name for what
a chart wants: the mean of a gauge, the last value of a counter."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from nodetide_core.catalogue import CATALOGUE, Kind

__all__ = [
    "ALERTS_FIRING",
    "ALERTS_OVER_TIME",
    "CLUSTERS",
    "HOSTS",
    "POLICIES",
    "TIERS",
    "age",
    "counted",
    "newest",
    "over_time",
    "ranked",
]

#: Values of the variable ``policy``: raw buckets that the data source's token may read, which are those that do not
#: end as a tier's does.
POLICIES = """\
buckets()
  |> filter(fn: (r) => r.name !~ /^_/ and r.name !~ /-[0-9]+[smhdw]$/)
  |> rename(columns: {name: "_value"})
  |> keep(columns: ["_value"])"""

#: Values of the variable ``bucket``: tiers of the policy that the chosen time can afford, the finest first. A tier is
#: for up to half of what it keeps, 12 hours of raw points for instance; the one that keeps longest is always there.
TIERS = """\
span = (int(v: v.timeRangeStop) - int(v: v.timeRangeStart)) / 1000000000
tiers = buckets()
  |> filter(fn: (r) => r.name =~ /^${policy:regex}(-[a-z0-9-]{1,16})?$/)
  |> map(fn: (r) => ({_value: r.name, kept: r.retentionPeriod / 1000000000}))
  |> map(fn: (r) => ({r with kept: if r.kept == 0 then 9000000000 else r.kept}))
longest = tiers |> sort(columns: ["kept"], desc: true) |> limit(n: 1)
union(tables: [tiers |> filter(fn: (r) => r.kept >= 2 * span), longest])
  |> group()
  |> unique(column: "_value")
  |> sort(columns: ["kept"])
  |> keep(columns: ["_value"])"""

#: Values of the variable ``cluster``.
CLUSTERS = """\
import "influxdata/influxdb/schema"

schema.tagValues(bucket: "${bucket}", tag: "cluster", predicate: (r) => r._measurement == "system", start: -30d)"""

#: Values of the variable ``host``.
HOSTS = """\
import "influxdata/influxdb/schema"

schema.tagValues(bucket: "${bucket}", tag: "host", predicate: (r) => r._measurement == "system" and \
r.cluster =~ /^${cluster:regex}$/, start: -30d)"""

_ALERTS = """\
from(bucket: "${policy}")
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "nodetide_alert" and %s)"""

#: Alerts that fire at the end of the chosen time, the longest first: a table. Those that fire are saved again every
#: ten minutes, so what was saved last an hour before has ended with whatever evaluated it.
ALERTS_FIRING = (
    _ALERTS % '(r._field == "state" or r._field == "value" or r._field == "fired")'
    + """
  |> last()
  |> map(fn: (r) => ({r with _value: float(v: r._value)}))
  |> pivot(rowKey: ["alert", "severity", "series"], columnKey: ["_field"], valueColumn: "_value")
  |> group()
  |> filter(fn: (r) => r.state == 2.0)
  |> map(fn: (r) => ({alert: r.alert, severity: r.severity, series: r.series, value: r.value, \
since: time(v: int(v: r.fired) * 1000000000)}))
  |> sort(columns: ["since"])"""
)

#: How many alerts were pending (1) and firing (2): each one's state over time.
ALERTS_OVER_TIME = (
    _ALERTS % 'r._field == "state"'
    + """
  |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false)"""
)


def over_time(measurement: str, fields: Sequence[str], tags: Mapping[str, str]) -> str:
    """Points of the chosen time, one for each of the chart's: means of gauges, counters as rates a second.

    Args:
        tags: by name, what a tag must be: a value, or a regular expression between slashes.

    Raises:
        ValueError: the catalogue has no such thing, or some of the fields are counters and some are not.
    """
    steps = [*_source(measurement, fields, tags)]
    if _are_counters(measurement, fields):
        steps.append("  |> aggregateWindow(every: v.windowPeriod, fn: last, createEmpty: false)")
        steps.append("  |> derivative(unit: 1s, nonNegative: true)")
    else:
        steps.append("  |> aggregateWindow(every: v.windowPeriod, fn: mean, createEmpty: false)")
    return "\n".join(steps)


def newest(measurement: str, fields: Sequence[str], tags: Mapping[str, str]) -> str:
    """The newest value of the chosen time, of gauges.

    Raises:
        ValueError: the catalogue has no such thing, or it is a counter.
    """
    if _are_counters(measurement, fields):
        raise ValueError(f"{measurement}: the newest value of a counter tells nothing")
    return "\n".join([*_source(measurement, fields, tags), "  |> last()"])


def ranked(measurement: str, field: str, tags: Mapping[str, str], most: int = 10) -> str:
    """The newest value of each series, of a gauge, the largest first.

    Raises:
        ValueError: as `newest`.
    """
    return "\n".join(
        [newest(measurement, [field], tags), "  |> group()", '  |> sort(columns: ["_value"], desc: true)',
         f"  |> limit(n: {most})"]
    )  # fmt: skip


def counted(measurement: str, field: str, tags: Mapping[str, str]) -> str:
    """How many hosts have written it within the chosen time."""
    steps = [newest(measurement, [field], tags), "  |> group()", '  |> unique(column: "host")', "  |> count()"]
    return "\n".join(steps)


def age(measurement: str, field: str, tags: Mapping[str, str]) -> str:
    """Seconds from the newest point of each series to the end of the chosen time."""
    end = "int(v: v.timeRangeStop)"
    return "\n".join(
        [newest(measurement, [field], tags),
         f"  |> map(fn: (r) => ({{r with _value: float(v: {end} - int(v: r._time)) / 1000000000.0}}))"]
    )  # fmt: skip


def _source(measurement: str, fields: Sequence[str], tags: Mapping[str, str]) -> list[str]:
    known = CATALOGUE.get(measurement)
    if known is None:
        raise ValueError(f"{measurement} is not in the catalogue")
    unknown = (set(fields) - set(known.by_name)) | (set(tags) - {tag.name for tag in known.tags})
    if unknown:
        raise ValueError(f"{measurement} has no {', '.join(sorted(unknown))}")
    named = " or ".join(f"r._field == {_text(field)}" for field in fields)
    conditions = [f"r._measurement == {_text(measurement)}", named if len(fields) == 1 else f"({named})"]
    conditions += [_condition(tag, value) for tag, value in tags.items()]
    # Points of an installation without a cluster lack the tag, and count as having an empty one.
    conditions += ["r.cluster =~ /^${cluster:regex}$/", "r.host =~ /^${host:regex}$/"]
    return [
        'from(bucket: "${bucket}")',
        "  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)",
        f"  |> filter(fn: (r) => {' and '.join(conditions)})",
    ]


def _are_counters(measurement: str, fields: Sequence[str]) -> bool:
    known = CATALOGUE.get(measurement)
    kinds = {known.by_name[field].kind for field in fields if field in known.by_name} if known else set()
    if len(kinds) > 1:
        raise ValueError(f"{measurement}: {', '.join(fields)} are not of one kind")
    return kinds == {Kind.COUNTER}


def _condition(tag: str, value: str) -> str:
    return f"r.{tag} =~ {value}" if value.startswith("/") else f"r.{tag} == {_text(value)}"


def _text(value: str) -> str:
    return json.dumps(value)  # Flux quotes plain text as JSON does
