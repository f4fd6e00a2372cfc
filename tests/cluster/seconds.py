"""Which seconds of a node are in InfluxDB, and why others are not."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from servers.client import Client

_ROWS = """\
from(bucket: "{bucket}") |> range(start: {start}, stop: {stop})
  |> filter(fn: (r) => r._measurement == "collector" and r.group == "all" and r.host == "{host}")
  |> filter(fn: (r) => r._field == "success" or r._field == "ticks_missed" or r._field == "points_dropped")
  |> map(fn: (r) => ({{second: uint(v: r._time) / uint(v: 1000000000), field: r._field, value: float(v: r._value)}}))
"""


@dataclass(frozen=True)
class Away:
    """While no collector ran, in Unix seconds, both included; and why."""

    why: str
    first: int
    last: int


@dataclass(frozen=True)
class Second:
    """What the collector said of itself at a second, counted since its start."""

    ticks_missed: float
    points_dropped: float


def sampled(influx: Client, *, org: str, bucket: str, host: str, start: int, stop: int) -> dict[int, Second]:
    """The seconds from `start` to before `stop` that are in a bucket."""
    query = _ROWS.format(bucket=bucket, host=host, start=start, stop=stop)
    said = influx.call("POST", f"/api/v2/query?org={org}", {"query": query}, headers={"Accept": "application/csv"})
    found: dict[int, dict[str, float]] = {}
    for row in csv.DictReader(line for line in said.splitlines() if line):
        if row["second"].isdigit():  # not the heading of the next table
            found.setdefault(int(row["second"]), {})[row["field"]] = float(row["value"])
    return {
        second: Second(fields["ticks_missed"], fields["points_dropped"])
        for second, fields in sorted(found.items())
        if "success" in fields
    }


def holes(seconds: Mapping[int, Second], start: int, stop: int) -> list[range]:
    """Where seconds from `start` to before `stop` are missing."""
    found: list[range] = []
    last = start - 1
    for second in (*sorted(second for second in seconds if start <= second < stop), stop):
        if second > last + 1:
            found.append(range(last + 1, second))
        last = second
    return found


def unexplained(seconds: Mapping[int, Second], start: int, stop: int, away: Iterable[Away]) -> list[range]:
    """Holes that are neither while no collector ran nor counted by one that could not keep up."""
    excused = {second for each in away for second in range(each.first, each.last + 1)}
    return [
        hole for hole in holes(seconds, start, stop) if not excused.issuperset(hole) and not _counted(seconds, hole)
    ]


def _counted(seconds: Mapping[int, Second], hole: range) -> bool:
    before, after = seconds.get(hole.start - 1), seconds.get(hole.stop)
    return before is not None and after is not None and after.ticks_missed - before.ticks_missed >= len(hole)
