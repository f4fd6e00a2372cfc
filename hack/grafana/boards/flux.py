"""The Flux of panels and variables. It works on every tier, for a rollup keeps a field's name for what
a chart wants: the mean of a gauge, the last value of a counter."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from nodetide_core.catalogue import CATALOGUE, Kind

__all__ = ["BUCKETS", "HOSTS", "newest", "over_time"]

#: Values of the variable ``bucket``: the tiers that the data source's token may read.
BUCKETS = """\
buckets()
  |> filter(fn: (r) => r.name !~ /^_/)
  |> rename(columns: {name: "_value"})
  |> keep(columns: ["_value"])"""

#: Values of the variable ``host``.
HOSTS = """\
import "influxdata/influxdb/schema"

schema.tagValues(bucket: "${bucket}", tag: "host", predicate: (r) => r._measurement == "system", start: -30d)"""


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
    conditions.append("r.host =~ /^${host:regex}$/")
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
