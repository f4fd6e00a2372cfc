"""Current: the newest sample of every series, with counters' rates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nodetide_api.filters import HOST, Filters
from nodetide_api.timeparse import format_time
from nodetide_core.catalogue import CATALOGUE, Kind, Selection, select
from nodetide_core.points import Point, tag
from nodetide_core.store import Latest

__all__ = ["View", "current_answer", "host_head", "in_use", "make_view", "newest_by_host", "rates"]

_COUNTERS = {m.name: frozenset(f.name for f in m.fields if f.kind is Kind.COUNTER) for m in CATALOGUE}

#: A series is gone when it misses this many of its own intervals while its host goes on.
_MISSED = 3


@dataclass(frozen=True, slots=True)
class View:
    """What a client asked to see; equal views give equal answers.

    Attributes:
        selections: metrics; empty means all.
    """

    filters: Filters
    selections: tuple[Selection, ...] = ()

    def fields(self, point: Point) -> frozenset[str]:
        """The fields of ``point`` that are wanted; empty where the series is not."""
        if not self.selections:
            return frozenset(point.fields) if self.filters.matches(point.tags) else frozenset()
        wanted: set[str] = set()
        for selection in self.selections:
            if selection.measurement == point.measurement and self.filters.narrowed(selection.tags).matches(point.tags):
                wanted.update(selection.fields)
        return frozenset(wanted & point.fields.keys())


def make_view(filters: Filters, metrics: Iterable[str]) -> View:
    """The view of these metrics (none: all).

    Raises:
        QueryError: a metric is not known.
    """
    return View(filters, tuple(dict.fromkeys(select(metric) for metric in metrics)))


def newest_by_host(found: Iterable[Latest]) -> dict[str, int]:
    """The time of the newest sample of each host."""
    newest: dict[str, int] = {}
    for latest in found:
        host = tag(latest.point.tags, HOST) or ""
        newest[host] = max(latest.point.time, newest.get(host, latest.point.time))
    return newest


def in_use(found: Iterable[Latest], newest: Mapping[str, int], stale_after: float) -> Iterator[Latest]:
    """Without series that their host no longer sends, such as an unmounted disk's.

    A series is gone when its newest sample is older than the host's newest by more than
    ``stale_after`` seconds and by more than three of its own intervals; a host that is silent as a
    whole keeps all that it last sent.
    """
    for latest in found:
        interval = math.inf if latest.previous is None else latest.point.time - latest.previous.time
        behind = newest[tag(latest.point.tags, HOST) or ""] - latest.point.time
        if behind <= max(stale_after, _MISSED * interval):
            yield latest


def rates(latest: Latest, fields: Iterable[str], gap: int) -> dict[str, float]:
    """Growth per second of the counters among ``fields``.

    There is none after a reset, and none across a hole longer than ``gap`` seconds.
    """
    point, previous = latest.point, latest.previous
    counters = _COUNTERS.get(point.measurement)
    if not counters or previous is None or not 0 < point.time - previous.time <= gap:
        return {}
    found: dict[str, float] = {}
    for name in fields:
        if name not in counters:
            continue
        new, old = point.fields.get(name), previous.fields.get(name)
        if new is None or old is None or isinstance(new, str) or isinstance(old, str):
            continue
        if new >= old:
            rate = (new - old) / (point.time - previous.time)
            if math.isfinite(rate):
                found[name] = rate
    return found


def current_answer(
    found: Sequence[Latest], view: View, *, now: float, stale_after: float, counter_gap: int
) -> dict[str, Any]:
    """A `models.Current` as plain data; values that are not finite are left out.

    Args:
        found: the newest samples of the whole host, whatever the view shows of them.
    """
    newest = newest_by_host(found)
    hosts: dict[str, list[dict[str, Any]]] = {}
    shown: dict[str, set[str]] = {}
    times: dict[int, str] = {}
    for latest in sorted(in_use(found, newest, stale_after), key=lambda item: item.point.key):
        point = latest.point
        values = {name: point.fields[name] for name in sorted(view.fields(point)) if _sendable(point.fields[name])}
        if not values:
            continue
        tags = dict(point.tags)
        host = tags.pop(HOST, "")
        if point.time not in times:
            times[point.time] = format_time(point.time)
        series = {
            "measurement": point.measurement,
            "tags": tags,
            "time": times[point.time],
            "values": values,
            "rates": rates(latest, values, counter_gap),
        }
        hosts.setdefault(host, []).append(series)
        shown.setdefault(point.measurement, set()).update(values)
    return {
        "time": format_time(now),
        "stale_after_seconds": stale_after,
        "hosts": [
            host_head(host, newest[host], now, stale_after, "time") | {"series": series}
            for host, series in sorted(hosts.items())
        ],
        "units": {
            f"{measurement}.{name}": field.unit.value
            for measurement, names in shown.items()
            for name in sorted(names)
            if (field := CATALOGUE.field(measurement, name)) is not None
        },
    }


def _sendable(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def host_head(host: str, newest: int, now: float, stale_after: float, time_name: str) -> dict[str, Any]:
    """How fresh a host is; ``newest`` is the time of its newest sample."""
    # A host whose clock is ahead of ours is not stale.
    age = max(0.0, now - newest)
    return {"host": host, time_name: format_time(newest), "age_seconds": round(age, 3), "stale": age > stale_after}
