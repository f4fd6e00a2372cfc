"""What is newest: the last points of series, and the hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nodetide_core.catalogue import Catalogue, Type
from nodetide_core.points import Point, Value
from nodetide_core.store import Latest, Stream
from nodetide_core.stores.influx import influxql
from nodetide_core.stores.influx.answers import Rows, ask
from nodetide_core.stores.influx.caller import Caller

__all__ = [
    "horizon_of",
    "known_hosts",
    "newest_hosts",
    "newest_points",
    "read_newest",
    "reports_and_hosts",
    "reports_of",
]

#: Seconds after which a series counts as gone.
_HORIZON = 3_600
_DOING = "reading the newest points of {}"


def newest_points(
    caller: Caller,
    stream: Stream,
    catalogue: Catalogue,
    now: int,
    *,
    measurements: frozenset[str],
    hosts: frozenset[str],
) -> list[Latest]:
    """The newest point of each series and the one before it; see `nodetide_core.store.StoreReader.latest`."""
    names = [name for name in catalogue.names if not measurements or name in measurements]
    if not all(hosts):
        hosts = hosts - {""}  # which in a condition would mean: without the tag
        if not hosts:
            return []
    found = read_newest(caller, stream, catalogue, horizon_of(stream, now), measurements=names, hosts=hosts)
    return sorted(found, key=lambda latest: latest.point.key)


def horizon_of(stream: Stream, now: int) -> int:
    """The time before which a series counts as gone."""
    return now - min(_HORIZON, stream.tiers.raw.retention or _HORIZON)


def read_newest(
    caller: Caller,
    stream: Stream,
    catalogue: Catalogue,
    horizon: int,
    *,
    measurements: Iterable[str],
    hosts: frozenset[str],
) -> list[Latest]:
    """The newest points since ``horizon``, in any order.

    Args:
        hosts: an empty name is that of series without a host; no names: all.

    Raises:
        StoreUnavailable, StoreRejected
    """
    request = influxql.newest_points(stream.bucket, measurements, hosts, horizon - stream.tiers.counter_gap)
    return _latest(ask(caller, request, doing=_DOING.format(stream.bucket)), stream, catalogue, horizon)


def read_newest_and_reports(
    caller: Caller, stream: Stream, catalogue: Catalogue, horizon: int, *, hosts: frozenset[str]
) -> tuple[dict[str, int], list[Latest]]:
    """`reports_of`, read before, and `read_newest` of all measurements, at once."""
    start = horizon - stream.tiers.counter_gap
    request = influxql.newest_reports_and_points(stream.bucket, catalogue.names, hosts, horizon, start)
    reports, *answers = ask(caller, request, doing=_DOING.format(stream.bucket))
    return _times(reports), _latest(answers, stream, catalogue, horizon)


def _latest(answers: Iterable[Iterable[Rows]], stream: Stream, catalogue: Catalogue, horizon: int) -> list[Latest]:
    found = []
    for answer in answers:
        for rows in answer:
            points = _points(rows, catalogue)
            if points and points[0].time >= horizon:
                near = len(points) > 1 and points[1].time >= points[0].time - stream.tiers.counter_gap
                found.append(Latest(points[0], points[1] if near else None))
    return found


def _points(rows: Rows, catalogue: Catalogue) -> list[Point]:
    known = catalogue[rows.key.measurement].by_name
    types = [known[name].type if name in known else None for name in rows.columns]
    found = []
    for values in rows.values:
        fields: dict[str, Value] = {}
        for name, type, value in zip(rows.columns, types, values, strict=True):
            if type is not None and value is not None:
                fields[name] = _typed(type, value)
        if fields:
            found.append(Point(*rows.key, fields, values[0]))
    return found


def _typed(type: Type, value: Any) -> Value:
    """JSON writes a whole float as an integer."""
    return float(value) if type is Type.FLOAT else str(value) if type is Type.STRING else int(value)


def newest_hosts(caller: Caller, stream: Stream, catalogue: Catalogue, now: int) -> Mapping[str, int]:
    """The time of the newest point by host, within the raw retention.

    Collectors' reports on themselves come with every pass, so they tell it at the cost of one
    series for each host; only hosts without them are looked for in all measurements.
    """
    bucket = stream.bucket
    since = max(0, now - stream.tiers.raw.retention) if stream.tiers.raw.retention else 0
    found, known = reports_and_hosts(caller, bucket, catalogue, since)
    if silent := frozenset(known - found.keys()):
        doing = f"reading the hosts of {bucket}"
        for answer in ask(caller, influxql.newest_by_host(bucket, catalogue.names, silent, since), doing=doing):
            for rows in answer:
                host = dict(rows.key.tags).get("host", "")
                found[host] = max(found.get(host, 0), int(rows.values[0][0]))
    found.pop("", None)
    return found


def reports_of(caller: Caller, bucket: str, since: int, hosts: frozenset[str]) -> dict[str, int]:
    """The time of the newest report of each of these hosts' collectors on itself."""
    (answer,) = ask(caller, influxql.newest_reports(bucket, since, hosts), doing=f"reading the hosts of {bucket}")
    return _times(answer)


def reports_and_hosts(
    caller: Caller, bucket: str, catalogue: Catalogue, since: int
) -> tuple[dict[str, int], frozenset[str]]:
    """The same of all hosts; and the hosts that the index knows, though some of their points may be gone."""
    request = influxql.newest_reports_and_hosts(bucket, catalogue.names, since)
    reports, known = ask(caller, request, doing=f"reading the hosts of {bucket}")
    return _times(reports), _names(known)


def known_hosts(caller: Caller, bucket: str, catalogue: Catalogue) -> frozenset[str]:
    """The hosts that the index knows."""
    (answer,) = ask(caller, influxql.hosts_known(bucket, catalogue.names), doing=f"reading the hosts of {bucket}")
    return _names(answer)


def _times(answer: Iterable[Rows]) -> dict[str, int]:
    return {dict(rows.key.tags).get("host", ""): int(rows.values[0][0]) for rows in answer}


def _names(answer: Iterable[Rows]) -> frozenset[str]:
    return frozenset(str(host) for rows in answer for _, host in rows.values) - {""}
