"""When each series of a measurement had its newest point."""

from __future__ import annotations

import sqlite3

from nodetide_core.points import Tags
from nodetide_core.stores.embedded.chunks import read_chunks
from nodetide_core.stores.embedded.context import RawContext
from nodetide_core.stores.embedded.hot import LATEST_TIME, id_from, time_of
from nodetide_core.stores.embedded.layouts import Slot, tags_from_text
from nodetide_core.stores.embedded.streams import StreamState

__all__ = ["load_last_seen"]


def load_last_seen(
    connection: sqlite3.Connection,
    context: RawContext,
    state: StreamState,
    measurement: str,
    field: str | None,
    *,
    since: int,
) -> dict[Tags, int]:
    """As `nodetide_core.alerts.ports.AlertSource.last_seen`, within one snapshot.

    Raises:
        StoreCorrupt: a chunk that would tell is damaged.
    """
    oldest = max(since, state.tiers[0].edge or 0)
    found = _hot(connection, context, state.id, measurement, field, oldest=oldest)
    for tags, last, slot in _sealed(connection, state.id, measurement, field, oldest):
        if last <= found.get(tags, -1):
            continue
        time = last if slot is None else _newest(connection, context, slot, oldest, last)
        if time is not None:
            found[tags] = max(time, found.get(tags, time))
    return found


def _hot(
    connection: sqlite3.Connection,
    context: RawContext,
    stream: int,
    measurement: str,
    field: str | None,
    *,
    oldest: int,
) -> dict[Tags, int]:
    found: dict[Tags, int] = {}
    for id, shape_id in connection.execute(
        "SELECT max(id), shape FROM hot WHERE id>=? GROUP BY shape", (id_from(oldest),)
    ).fetchall():
        shape = context.shapes.get(connection, shape_id)
        if shape.stream != stream:
            continue
        for layout in shape.layouts:
            tags = layout.key.tags
            if layout.key.measurement == measurement and (
                field is None or any(slot.field == field for slot in layout.slots)
            ):
                found[tags] = max(time_of(id), found.get(tags, 0))
    return found


def _sealed(
    connection: sqlite3.Connection, stream: int, measurement: str, field: str | None, oldest: int
) -> list[tuple[Tags, int, Slot | None]]:
    """Tags, time of the newest sealed sample of any field, and the slot of the field, if one is named."""
    if field is None:
        rows = connection.execute(
            "SELECT tags, last FROM series WHERE stream=? AND measurement=? AND last>=?", (stream, measurement, oldest)
        )
        return [(tags_from_text(tags), last, None) for tags, last in rows]
    rows = connection.execute(
        "SELECT tags, last, slot.id, code, counter FROM series JOIN slot ON slot.series=series.id "
        "WHERE stream=? AND measurement=? AND last>=? AND field=?",
        (stream, measurement, oldest, field),
    )
    return [
        (tags_from_text(tags), last, Slot(id, field, code, bool(counter))) for tags, last, id, code, counter in rows
    ]


def _newest(connection: sqlite3.Connection, context: RawContext, slot: Slot, oldest: int, last: int) -> int | None:
    # Nearly always the field stands in the newest block of its series.
    for start, stop in ((max(oldest, last), last + 1), (oldest, LATEST_TIME)):
        newest: int | None = None
        for _, (times, _values) in read_chunks(connection, context, slot, start, stop):
            newest = times[-1]
        if newest is not None:
            return newest if newest >= oldest else None
    return None
