"""Sealed points: a chunk holds one slot over one block of time."""

from __future__ import annotations

import logging
import sqlite3
from array import array
from collections.abc import Iterator

from nodetide_core.errors import StoreCorrupt
from nodetide_core.stores.embedded.codec import Chunk, Damaged, decode, encode
from nodetide_core.stores.embedded.context import RawContext
from nodetide_core.stores.embedded.database import Database, snapshot
from nodetide_core.stores.embedded.dictionary import Dictionary, forget_shapes
from nodetide_core.stores.embedded.hot import HotColumns, id_from, time_of
from nodetide_core.stores.embedded.layouts import Slot
from nodetide_core.stores.embedded.pieces import Piece, overlay
from nodetide_core.tiers import align_down

__all__ = ["Sealer", "has_blocks", "read_chunks"]

_log = logging.getLogger(__name__)


def has_blocks(connection: sqlite3.Connection, context: RawContext, stream: int, start: int, stop: int) -> bool:
    """Whether any chunk of the stream reaches into ``[start, stop)``."""
    row = connection.execute(
        "SELECT 1 FROM block WHERE stream=? AND start>? AND start<? LIMIT 1",
        (stream, start - context.block_seconds, stop),
    ).fetchone()
    return row is not None


def read_chunks(
    connection: sqlite3.Connection, context: RawContext, slot: Slot, start: int, stop: int
) -> Iterator[tuple[int, Piece]]:
    """Blocks that reach into ``[start, stop)`` and what they hold of a slot, whole and in order.

    Raises:
        StoreCorrupt: a chunk is damaged.
    """
    for block, *chunk in connection.execute(
        "SELECT block, first, step, n, b FROM chunk WHERE slot=? AND block>? AND block<? ORDER BY block",
        (slot.id, start - context.block_seconds, stop),
    ):
        try:
            yield block, decode(slot.id, Chunk(*chunk), slot.array_code)
        except Damaged as error:
            raise StoreCorrupt(
                f"{context.path}: {context.block_seconds} s of {slot.field} from {block} (slot {slot.id}) "
                f"are damaged ({error})"
            ) from error


class Sealer:
    """Turns closed blocks of hot rows into chunks.

    Reading and compressing happen outside the transaction, so that writers wait only for the rows
    to be exchanged.
    """

    #: Seconds after its end that a block is sealed, so that the ordinary stragglers are in it.
    SETTLE = 60

    def __init__(
        self, database: Database, connection: sqlite3.Connection, context: RawContext, dictionary: Dictionary
    ) -> None:
        self._database = database
        self._connection = connection
        self._context = context
        self._dictionary = dictionary

    def due(self, now: int) -> list[int]:
        """Closed blocks that have hot rows, oldest first."""
        found: list[int] = []
        after = 0
        while True:
            (id,) = self._connection.execute("SELECT min(id) FROM hot WHERE id>=?", (id_from(after),)).fetchone()
            if id is None:
                return found
            block = align_down(time_of(id), self._context.block_seconds)
            if block + self._context.block_seconds + self.SETTLE > now:
                return found
            found.append(block)
            after = block + self._context.block_seconds

    def seal(self, block: int) -> None:
        """Seal what is hot of one block, together with what is sealed of it already."""
        with snapshot(self._connection) as connection:
            hot = HotColumns(connection, self._context.shapes, block, block + self._context.block_seconds)
            rows = [self._encode(connection, block, slot, hot) for slot in hot.slots()]
        streams = {part.shape.stream for part in hot.parts.values()}
        newest = [
            {"id": layout.series, "last": time_of(part.ids[-1])}
            for part in hot.parts.values()
            for layout in part.shape.layouts
        ]
        with self._database.lock:
            with self._database.transaction() as writer:
                writer.executemany(
                    "INSERT OR REPLACE INTO chunk(slot, block, first, step, n, b) VALUES(?,?,?,?,?,?)", rows
                )
                writer.executemany("INSERT OR IGNORE INTO block VALUES(?,?)", [(stream, block) for stream in streams])
                writer.executemany("UPDATE series SET last=max(last,:last) WHERE id=:id", newest)
                writer.executemany("DELETE FROM hot WHERE id=?", ((id,) for id in hot.ids))
                forget_shapes(writer)
            self._dictionary.forget()

    def _encode(self, connection: sqlite3.Connection, block: int, slot: Slot, hot: HotColumns) -> tuple[object, ...]:
        times, values = hot.column(slot.id)
        last = block + self._context.block_seconds - 1
        try:
            found = read_chunks(connection, self._context, slot, last, last + 1)
            before = next(found, None)
        except StoreCorrupt as error:
            _log.error("%s; late points take their place", error)
            before = None
        if before is not None:
            times, merged = overlay(before[1], (times, values))
            values = array(slot.array_code, merged)
        chunk = encode(slot.id, times, values)
        return (slot.id, block, *chunk)
