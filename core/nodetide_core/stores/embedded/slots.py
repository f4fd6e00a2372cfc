"""Finding slots: which series and fields a stream has."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nodetide_core.points import SeriesKey
from nodetide_core.stores.embedded.layouts import Slot, tags_from_text

__all__ = ["Found", "find_slots", "sealed_slots", "stream_slots"]


class Found(NamedTuple):
    key: SeriesKey
    slot: Slot


def stream_slots(connection: sqlite3.Connection, stream: int) -> list[Slot]:
    """Every slot of a stream but its texts."""
    return [
        Slot(id, field, code, bool(counter))
        for id, field, code, counter in connection.execute(
            "SELECT slot.id, field, code, counter FROM series JOIN slot ON slot.series=series.id "
            "WHERE stream=? AND code<>'t' ORDER BY slot.id",
            (stream,),
        )
    ]


def sealed_slots(connection: sqlite3.Connection, stream: int, since: int) -> list[Found]:
    """Every slot, texts included, of the series that have sealed points from ``since`` on."""
    return [
        Found(SeriesKey(measurement, tags_from_text(tags)), Slot(id, field, code, bool(counter)))
        for measurement, tags, id, field, code, counter in connection.execute(
            "SELECT measurement, tags, slot.id, field, code, counter FROM series JOIN slot ON slot.series=series.id "
            "WHERE stream=? AND last>=?",
            (stream, since),
        )
    ]


def find_slots(
    connection: sqlite3.Connection,
    stream: int,
    measurement: str,
    fields: Sequence[str],
    tags: Mapping[str, frozenset[str]],
) -> list[Found]:
    """The slots of these fields whose series has, for each tag named, one of its values; in the
    order of (series, field)."""
    found = []
    wanted = frozenset(fields)
    for text, id, field, code, counter in connection.execute(
        "SELECT tags, slot.id, field, code, counter FROM series JOIN slot ON slot.series=series.id "
        "WHERE stream=? AND measurement=?",
        (stream, measurement),
    ):
        if field in wanted:
            own = tags_from_text(text)
            values = dict(own)
            if all(values.get(name) in allowed for name, allowed in tags.items()):
                found.append(Found(SeriesKey(measurement, own), Slot(id, field, code, bool(counter))))
    return sorted(found, key=lambda item: (item.key, item.slot.field))
