"""Numbers for names: series, slots, layouts, shapes and texts, made as they are first written."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence

from nodetide_core.catalogue import Catalogue, Kind, Type
from nodetide_core.points import SeriesKey
from nodetide_core.stores.admission import Refused
from nodetide_core.stores.embedded.layouts import Layout, Slot, make_layout, tags_to_text

__all__ = ["Dictionary", "forget_shapes"]

_CODES = {Type.FLOAT: "d", Type.INT: "q", Type.STRING: "t"}


class Dictionary:
    """For the writer alone, inside its transactions.

    Everything remembered is in the database, so it may be forgotten at any time, and must be when
    a transaction is undone.
    """

    #: Past these a cache starts afresh, so that churning series cannot grow it without bound.
    _MOST_LAYOUTS = 20_000
    _MOST_SHAPES = 512
    #: Texts are kept for good: hashes of policies, a few a year.
    MOST_TEXTS = 10_000

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._layouts: dict[tuple[int, str, object, tuple[str, ...]], Layout] = {}
        self._shapes: dict[tuple[int, tuple[int, ...]], int] = {}
        self._texts: dict[str, int] = {}

    def forget(self) -> None:
        self._layouts.clear()
        self._shapes.clear()
        self._texts.clear()

    def known(self, stream: int, key: SeriesKey, names: tuple[str, ...]) -> Layout | None:
        return self._layouts.get((stream, key[0], key[1], names))

    def layout(self, connection: sqlite3.Connection, stream: int, key: SeriesKey, names: tuple[str, ...]) -> Layout:
        """The layout of these fields of a series; the catalogue must know them."""
        series = _id_of(
            connection,
            "SELECT id FROM series WHERE stream=? AND measurement=? AND tags=?",
            "INSERT INTO series(stream, measurement, tags) VALUES(?,?,?)",
            (stream, key.measurement, tags_to_text(key.tags)),
        )
        slots = tuple(self._slot(connection, series, key.measurement, name) for name in names)
        id = _id_of(
            connection,
            "SELECT id FROM layout WHERE series=? AND slots=?",
            "INSERT INTO layout(series, slots) VALUES(?,?)",
            (series, array("q", [slot.id for slot in slots]).tobytes()),
        )
        if len(self._layouts) >= self._MOST_LAYOUTS:
            self._layouts.clear()
        found = self._layouts[stream, key.measurement, key.tags, names] = make_layout(id, series, key, slots)
        return found

    def _slot(self, connection: sqlite3.Connection, series: int, measurement: str, name: str) -> Slot:
        find = "SELECT id, field, code, counter FROM slot WHERE series=? AND field=?"
        row = connection.execute(find, (series, name)).fetchone()
        if row is None:
            field = self._catalogue[measurement].by_name[name]
            connection.execute(
                "INSERT INTO slot(series, field, code, counter) VALUES(?,?,?,?)",
                (series, name, _CODES[field.type], field.kind is Kind.COUNTER),
            )
            row = connection.execute(find, (series, name)).fetchone()
        return Slot(row[0], row[1], row[2], bool(row[3]))

    def shape(self, connection: sqlite3.Connection, stream: int, layouts: Sequence[int]) -> int:
        """The number of the shape that has these layouts, in this order."""
        key = (stream, tuple(layouts))
        found = self._shapes.get(key)
        if found is None:
            if len(self._shapes) >= self._MOST_SHAPES:
                self._shapes.clear()
            found = self._shapes[key] = _id_of(
                connection,
                "SELECT id FROM shape WHERE stream=? AND layouts=?",
                "INSERT INTO shape(stream, layouts) VALUES(?,?)",
                (stream, array("q", layouts).tobytes()),
            )
        return found

    def text(self, connection: sqlite3.Connection, value: str) -> int:
        """
        Raises:
            Refused: there are too many different texts already.
        """
        found = self._texts.get(value)
        if found is None:
            row = connection.execute("SELECT id FROM text WHERE value=?", (value,)).fetchone()
            if row is None:
                (count,) = connection.execute("SELECT count(*) FROM text").fetchone()
                if count >= self.MOST_TEXTS:
                    raise Refused("too many different texts")
                row = (connection.execute("INSERT INTO text(value) VALUES(?)", (value,)).lastrowid,)
            if len(self._texts) >= self._MOST_SHAPES:
                self._texts.clear()
            found = self._texts[value] = row[0]
        return found


def _id_of(connection: sqlite3.Connection, find: str, make: str, key: tuple[object, ...]) -> int:
    row = connection.execute(find, key).fetchone()
    if row is None:
        connection.execute(make, key)
        row = connection.execute(find, key).fetchone()
    found: int = row[0]
    return found


def forget_shapes(connection: sqlite3.Connection) -> None:
    """Remove shapes and layouts that no hot row has any more; forget the dictionary's memory with them."""
    connection.execute("DELETE FROM shape WHERE id NOT IN (SELECT shape FROM hot)")
    used = {id for (packed,) in connection.execute("SELECT layouts FROM shape").fetchall() for id in array("q", packed)}
    unused = [(id,) for (id,) in connection.execute("SELECT id FROM layout").fetchall() if id not in used]
    connection.executemany("DELETE FROM layout WHERE id=?", unused)
