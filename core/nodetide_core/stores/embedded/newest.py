"""The newest two points of every series."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Mapping

from nodetide_core.errors import StoreCorrupt
from nodetide_core.points import Point, SeriesKey, Value, tag
from nodetide_core.store import Latest
from nodetide_core.stores.embedded.chunks import has_blocks, read_chunks
from nodetide_core.stores.embedded.context import RawContext
from nodetide_core.stores.embedded.hot import id_from, time_of
from nodetide_core.stores.embedded.layouts import Layout, Shapes, tags_from_text
from nodetide_core.stores.embedded.slots import sealed_slots
from nodetide_core.stores.embedded.streams import StreamState

__all__ = ["HORIZON", "Newest", "load_hosts", "load_newest"]

_log = logging.getLogger(__name__)

#: Seconds that a newest point may be old.
HORIZON = 3_600


class Newest:
    """Of one stream, in memory."""

    def __init__(self) -> None:
        self._points: dict[SeriesKey, tuple[Point, Point | None]] = {}

    def add(self, point: Point) -> None:
        """Take a point as if written now: where its series has one of this time, over that."""
        key = point.key
        newest, previous = self._points.get(key, (None, None))
        if newest is None or point.time > newest.time:
            self._points[key] = point, newest
        elif point.time == newest.time:
            self._points[key] = _joined(newest, point), previous
        elif previous is None or point.time > previous.time:
            self._points[key] = newest, point
        elif point.time == previous.time:
            self._points[key] = newest, _joined(previous, point)

    def prune(self, now: int) -> None:
        self._points = {key: pair for key, pair in self._points.items() if pair[0].time >= now - HORIZON}

    def select(self, state: StreamState, now: int, measurements: frozenset[str], hosts: frozenset[str]) -> list[Latest]:
        """In the order of series."""
        tiers, edge = state.stream.tiers, state.tiers[0].edge or 0
        oldest = max(edge, now - min(HORIZON, tiers.raw.retention or HORIZON))
        return [
            Latest(
                point,
                previous
                if previous is not None and previous.time >= max(edge, point.time - tiers.counter_gap)
                else None,
            )
            for key, (point, previous) in sorted(self._points.items())
            if point.time >= oldest
            and (not measurements or key.measurement in measurements)
            and (not hosts or tag(key.tags, "host") in hosts)
        ]


def _joined(below: Point, above: Point) -> Point:
    return below._replace(fields={**below.fields, **above.fields})


def load_newest(connection: sqlite3.Connection, context: RawContext, state: StreamState, now: int) -> Newest:
    """From the database, within one snapshot."""
    edge = state.tiers[0].edge or 0
    oldest = max(edge, now - HORIZON - state.stream.tiers.counter_gap)
    texts = dict(connection.execute("SELECT id, value FROM text").fetchall())
    found = Newest()
    # Sealed first, hot over it: the later one counts.
    for point in _sealed(connection, context, state.id, oldest, texts):
        found.add(point)
    for point in _hot(connection, context.shapes, state.id, oldest, texts):
        found.add(point)
    return found


def _sealed(
    connection: sqlite3.Connection, context: RawContext, stream: int, oldest: int, texts: Mapping[int, str]
) -> Iterator[Point]:
    if not has_blocks(connection, context, stream, oldest, 2**62):
        return
    for key, slot in sealed_slots(connection, stream, oldest):
        last: list[tuple[int, Value]] = []
        try:
            for _, (times, values) in read_chunks(connection, context, slot, oldest, 2**62):
                last += list(zip(times[-2:], values[-2:], strict=True))
        except StoreCorrupt as error:
            _log.error("%s", error)
        for time, value in last[-2:]:
            if time >= oldest:
                yield Point(*key, {slot.field: texts[int(value)] if slot.code == "t" else value}, time)


def _hot(
    connection: sqlite3.Connection, shapes: Shapes, stream: int, oldest: int, texts: Mapping[int, str]
) -> Iterator[Point]:
    """Every point of the newest two times of each series, oldest first."""
    ids = connection.execute("SELECT id, shape FROM hot WHERE id>=? ORDER BY id DESC", (id_from(oldest),)).fetchall()
    needed: list[tuple[int, list[tuple[Layout, int]]]] = []
    seen: dict[SeriesKey, list[int]] = {}
    for id, shape_id in ids:
        shape = shapes.get(connection, shape_id)
        if shape.stream != stream:
            continue
        parts = []
        for layout, start in zip(shape.layouts, shape.starts, strict=True):
            times = seen.setdefault(layout.key, [])
            if time_of(id) not in times:
                if len(times) == 2:
                    continue
                times.append(time_of(id))
            parts.append((layout, start))
        if parts:
            needed.append((id, parts))
    for id, parts in reversed(needed):
        (data,) = connection.execute("SELECT b FROM hot WHERE id=?", (id,)).fetchone()
        for layout, start in parts:
            values = zip(layout.slots, layout.packer.unpack_from(data, 8 * start), strict=True)
            fields = {slot.field: texts[value] if slot.code == "t" else value for slot, value in values}
            yield Point(*layout.key, fields, time_of(id))


def load_hosts(connection: sqlite3.Connection, state: StreamState, shapes: Shapes, now: int) -> dict[str, int]:
    """Time of the newest point by host, within the raw retention."""
    last: dict[str, int] = {}
    edge = state.tiers[0].edge or 0

    def see(host: str | None, time: int) -> None:
        if host is not None and time >= edge and state.stream.tiers.raw.holds(time, now):
            last[host] = max(time, last.get(host, time))

    for text, time in connection.execute("SELECT tags, last FROM series WHERE stream=? AND last>0", (state.id,)):
        see(tag(tags_from_text(text), "host"), time)
    for id, shape_id in connection.execute("SELECT max(id), shape FROM hot GROUP BY shape").fetchall():
        shape = shapes.get(connection, shape_id)
        if shape.stream == state.id:
            for layout in shape.layouts:
                see(tag(layout.key.tags, "host"), time_of(id))
    return last
