"""Raw points of a slot, sealed and hot ones as one."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Collection, Iterator

from nodetide_core.stores.embedded.chunks import has_blocks, read_chunks
from nodetide_core.stores.embedded.context import RawContext
from nodetide_core.stores.embedded.hot import HotColumns, id_from, time_of
from nodetide_core.stores.embedded.layouts import Slot
from nodetide_core.stores.embedded.pieces import Piece, cut, overlay

__all__ = ["RawRange", "next_time"]


class RawRange:
    """What one stream holds of ``[start, stop)``, within one snapshot.

    Args:
        wanted: ids of the slots that will be asked for; None for any.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        context: RawContext,
        stream: int,
        start: int,
        stop: int,
        *,
        wanted: Collection[int] | None = None,
    ) -> None:
        self._connection = connection
        self._context = context
        self._start, self._stop = start, stop
        self._sealed = has_blocks(connection, context, stream, start, stop)
        self._hot = HotColumns(connection, context.shapes, start, stop, wanted)

    def pieces(self, slot: Slot) -> Iterator[Piece]:
        """Pieces in time order that do not overlap, none empty.

        Raises:
            StoreCorrupt: a chunk is damaged.
        """
        times, values = self._hot.column(slot.id)
        at = 0
        if self._sealed:
            for block, sealed in read_chunks(self._connection, self._context, slot, self._start, self._stop):
                below = bisect_left(times, block, at)
                if below > at:
                    yield times[at:below], values[at:below]
                at = bisect_left(times, block + self._context.block_seconds, below)
                piece = cut(sealed, self._start, self._stop)
                if at > below:
                    piece = overlay(piece, (times[below:at], values[below:at]))
                if piece[0]:
                    yield piece
        if at < len(times):
            yield times[at:], values[at:]


def next_time(connection: sqlite3.Connection, stream: int, at: int, size: int) -> int | None:
    """A time, ``at`` or later, before which the stream has nothing from ``at`` on; None when it has
    nothing at all from there on."""
    (block,) = connection.execute(
        "SELECT min(start) FROM block WHERE stream=? AND start>?", (stream, at - size)
    ).fetchone()
    hot = connection.execute(
        "SELECT hot.id FROM hot JOIN shape ON shape.id=shape WHERE hot.id>=? AND stream=? ORDER BY hot.id LIMIT 1",
        (id_from(at), stream),
    ).fetchone()
    found = [] if block is None else [max(at, block)]
    return min(found if hot is None else [*found, time_of(hot[0])], default=None)
