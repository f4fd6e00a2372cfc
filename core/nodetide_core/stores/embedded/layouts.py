"""How values lie in a hot row: 8 bytes each, by layout and shape."""

from __future__ import annotations

import sqlite3
import struct
from array import array
from dataclasses import dataclass
from typing import NamedTuple

from nodetide_core.points import SeriesKey

__all__ = ["Layout", "Shape", "Shapes", "Slot", "load_layout", "tags_from_text", "tags_to_text"]

import json

#: Struct codes by slot code; a text is the number of its row.
_FORMATS = {"d": "d", "q": "q", "t": "q"}


class Slot(NamedTuple):
    """One field of one series.

    Attributes:
        code: ``d`` float, ``q`` integer, ``t`` text.
    """

    id: int
    field: str
    code: str
    counter: bool

    @property
    def array_code(self) -> str:
        return _FORMATS[self.code]


def tags_to_text(tags: tuple[tuple[str, str], ...]) -> str:
    return json.dumps(tags, separators=(",", ":"))


def tags_from_text(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, value in json.loads(text))


@dataclass(frozen=True, slots=True)
class Layout:
    """Slots of one series that are written together."""

    id: int
    series: int
    key: SeriesKey
    slots: tuple[Slot, ...]
    packer: struct.Struct
    has_counter: bool
    has_text: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """The layouts that make up a row, one after the other.

    Attributes:
        offsets: position of each slot, in values (of 8 bytes), and the slot.
        starts: position of each layout, in values.
        width: values in a row.
    """

    id: int
    stream: int
    layouts: tuple[Layout, ...]
    starts: tuple[int, ...]
    offsets: dict[int, tuple[int, Slot]]
    width: int


class Shapes:
    """Shapes by id, remembered; any thread may ask with its own connection.

    A shape never changes and its id is never used again, so nothing remembered becomes wrong.
    """

    _MOST = 512

    def __init__(self) -> None:
        self._known: dict[int, Shape] = {}

    def get(self, connection: sqlite3.Connection, id: int) -> Shape:
        found = self._known.get(id)
        if found is None:
            found = _load_shape(connection, id)
            if len(self._known) >= self._MOST:
                self._known.clear()
            self._known[id] = found
        return found


def _load_shape(connection: sqlite3.Connection, id: int) -> Shape:
    stream, packed = connection.execute("SELECT stream, layouts FROM shape WHERE id=?", (id,)).fetchone()
    layouts = tuple(load_layout(connection, layout) for layout in array("q", packed))
    starts, offsets, width = [], {}, 0
    for layout in layouts:
        starts.append(width)
        for slot in layout.slots:
            offsets[slot.id] = (width, slot)
            width += 1
    return Shape(id, stream, layouts, tuple(starts), offsets, width)


def load_layout(connection: sqlite3.Connection, id: int) -> Layout:
    series, packed, measurement, tags = connection.execute(
        "SELECT series, slots, measurement, tags FROM layout JOIN series ON series.id=series WHERE layout.id=?", (id,)
    ).fetchone()
    by_id = {
        row[0]: Slot(row[0], row[1], row[2], bool(row[3]))
        for row in connection.execute("SELECT id, field, code, counter FROM slot WHERE series=?", (series,))
    }
    slots = tuple(by_id[slot] for slot in array("q", packed))
    return make_layout(id, series, SeriesKey(measurement, tags_from_text(tags)), slots)


def make_layout(id: int, series: int, key: SeriesKey, slots: tuple[Slot, ...]) -> Layout:
    return Layout(
        id,
        series,
        key,
        slots,
        struct.Struct("=" + "".join(slot.array_code for slot in slots)),
        has_counter=any(slot.counter for slot in slots),
        has_text=any(slot.code == "t" for slot in slots),
    )
