"""Whether InfluxDB holds every sampled second exactly once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from servers import InfluxServer
from tests.bench.fleet_recording import Expected

from nodetide_core.points import SeriesKey, tag
from nodetide_core.stores.influx.answers import Rows, ask
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.http import Transport
from nodetide_core.stores.influx.influxql import Request

__all__ = ["Balance", "count"]

#: Hosts counted at once, so that an answer is a few megabytes.
_HOSTS = 100


@dataclass(frozen=True)
class Balance:
    """Values, of all fields, series and hosts.

    Attributes:
        wanted: that were sampled.
        missing: of them that are not there.
        extra: that are there and were not sampled.
    """

    wanted: int
    missing: int
    extra: int


def count(server: InfluxServer, bucket: str, hosts: Mapping[str, Expected], start: int, stop: int) -> Balance:
    """Compare counts, for each field of each series of each host.

    A point written twice stands there once, and of two seconds with one time stamp one would be missing: so a count
    that is right says that each second is there exactly once.

    Args:
        hosts: with what each has sampled.
    """
    caller = Caller(Transport(server.url, timeout=300), lambda: server.token)
    names = list(hosts)
    measurements = sorted({key.measurement for expected in hosts.values() for key, _ in expected})
    wanted = missing = extra = 0
    try:
        for first in range(0, len(names), _HOSTS):
            some = names[first : first + _HOSTS]
            found = _found(caller, bucket, measurements, some, start, stop)
            for host in some:
                here, expected = found.pop(host, {}), hosts[host]
                wanted += expected.total()
                missing += sum(max(0, due - here.get(key, 0)) for key, due in expected.items())
                extra += sum(max(0, number - expected[key]) for key, number in here.items())
            extra += sum(sum(here.values()) for here in found.values())
    finally:
        caller.close()
    return Balance(wanted, missing, extra)


_Counts = dict[tuple[SeriesKey, str], int]


def _found(
    caller: Caller, bucket: str, measurements: Iterable[str], hosts: Sequence[str], start: int, stop: int
) -> dict[str, _Counts]:
    """Counts by host."""
    bound = {f"h{number}": host for number, host in enumerate(hosts)}
    among = " OR ".join(f"host::tag = ${name}" for name in bound)
    where = f"time >= {start}s AND time < {stop}s AND ({among})"
    found: dict[str, _Counts] = {}
    for measurement in measurements:
        text = f'SELECT count(*) FROM "{measurement}" WHERE {where} GROUP BY *'
        for rows in ask(caller, Request(bucket, text, bound), doing="counting")[0]:
            host = tag(rows.key.tags, "host") or ""
            found.setdefault(host, {}).update(_of_series(rows))
    return found


def _of_series(rows: Rows) -> _Counts:
    key = SeriesKey(rows.key.measurement, tuple(pair for pair in rows.key.tags if pair[0] != "host"))
    (values,) = rows.values
    named = zip(rows.columns[1:], values[1:], strict=True)
    return {(key, name.removeprefix("count_")): number for name, number in named if number}
