"""Points as rows of bytes."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable
from typing import NamedTuple

from nodetide_core.catalogue import Catalogue
from nodetide_core.points import Point
from nodetide_core.stores.admission import LARGEST, admit
from nodetide_core.stores.embedded.dictionary import Dictionary
from nodetide_core.stores.embedded.layouts import Layout

__all__ = ["Packed", "Packer", "Row", "rows"]


class Packed(NamedTuple):
    """A point as bytes, and as it was understood."""

    point: Point
    layout: Layout
    data: bytes


class Row(NamedTuple):
    """Points of one moment, no two of the same series."""

    time: int
    layouts: tuple[int, ...]
    data: bytes


class Packer:
    """Checks points and packs them, fast where nothing is wrong with them."""

    def __init__(self, catalogue: Catalogue, dictionary: Dictionary) -> None:
        self._catalogue = catalogue
        self._dictionary = dictionary

    def pack(self, connection: sqlite3.Connection, stream: int, point: Point) -> Packed:
        """
        Raises:
            Refused: the store does not take this point.
        """
        names = tuple(point.fields)
        layout = self._dictionary.known(stream, point.key, names)
        if layout is not None and not layout.has_text:
            values = point.fields.values()
            try:
                # A NaN or an infinity makes the sum one; text and fractions fail to add or to pack.
                if sum(map(abs, values)) < LARGEST:  # type: ignore[arg-type]
                    return Packed(point, layout, layout.packer.pack(*values))
            except (TypeError, struct.error):
                pass
        fields = admit(point, self._catalogue)
        if layout is None:
            layout = self._dictionary.layout(connection, stream, point.key, names)
        numbers = [
            self._dictionary.text(connection, value) if isinstance(value, str) else value for value in fields.values()
        ]
        return Packed(point._replace(fields=fields), layout, layout.packer.pack(*numbers))


def rows(packed: Iterable[Packed]) -> list[Row]:
    """Rows in the order in which they must be written: where a series comes again at the same time,
    the later row counts."""
    by_time: dict[int, list[dict[int, tuple[int, bytes]]]] = {}
    for point, layout, data in packed:
        at_time = by_time.setdefault(point.time, [{}])
        if layout.series in at_time[-1]:
            at_time.append({})
        at_time[-1][layout.series] = (layout.id, data)
    return [
        Row(time, tuple(id for id, _ in parts), b"".join(data for _, data in parts))
        for time, groups in by_time.items()
        for parts in (sorted(group.values()) for group in groups)
    ]
