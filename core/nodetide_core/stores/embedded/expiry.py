"""Letting go of what is past its retention: first in one small step, then row by row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from nodetide_core.stores.embedded.budget import Budget
from nodetide_core.stores.embedded.database import Database
from nodetide_core.stores.embedded.hot import id_from
from nodetide_core.stores.embedded.streams import StreamState, TierState
from nodetide_core.stores.retention import due_edge

__all__ = ["Sweeper", "advance_edges"]


def advance_edges(database: Database, state: StreamState, now: int) -> None:
    """Move the edges of a stream's tiers to where they may be; readers see nothing before them."""
    with database.lock:
        moved: list[tuple[TierState, int]] = []
        with database.transaction() as writer:
            pending = _oldest_mark(writer, state)
            for at, tier in enumerate(state.tiers):
                rolled = state.tiers[at + 1].watermark if at + 1 < len(state.tiers) else None
                edge = due_edge(state.stream.tiers, tier.tier, now, rolled=rolled, pending=pending)
                if edge is not None and edge > 0 and (tier.edge is None or edge > tier.edge):
                    writer.execute("UPDATE tier SET edge=? WHERE id=?", (edge, tier.id))
                    moved.append((tier, edge))
        for tier, edge in moved:
            tier.edge = edge


def _oldest_mark(connection: sqlite3.Connection, state: StreamState) -> int | None:
    marks = [
        connection.execute("SELECT min(start) FROM dirty WHERE tier=?", (tier.id,)).fetchone()[0]
        for tier in state.tiers
    ]
    return min((start for start in marks if start is not None), default=None)


class Sweeper:
    """Removes the rows before the edges, in transactions small enough for writers to wait for.

    What is left when it is interrupted is invisible, and removed the next time.
    """

    _SLOTS = 200

    def __init__(self, database: Database, connection: sqlite3.Connection, size: int) -> None:
        self._database = database
        self._connection = connection
        self._size = size

    def sweep(self, state: StreamState, budget: Budget) -> int:
        """The number of rows removed: of raw, one per moment or per slot and block."""
        removed = 0
        for tier in state.tiers:
            if tier.edge is None or tier.swept == tier.edge:
                continue
            steps = self._raw(state, tier.edge) if tier.tier.window == 0 else self._tier(state.id, tier.id, tier.edge)
            for count in steps:
                removed += count
                if not budget.take():
                    return removed
            with self._database.lock:
                with self._database.transaction() as writer:
                    writer.execute("UPDATE tier SET swept=? WHERE id=?", (tier.edge, tier.id))
                tier.swept = tier.edge
        return removed

    def drop(self, budget: Budget) -> int:
        """Remove the rows of tiers that were taken out of their stream."""
        removed = 0
        for id, stream in self._connection.execute("SELECT id, stream FROM tier WHERE dropped").fetchall():
            for count in self._tier(stream, id, None):
                removed += count
                if not budget.take():
                    return removed
            with self._database.transaction() as writer:
                writer.execute("DELETE FROM tier WHERE id=?", (id,))
        return removed

    def _slots(self, stream: int) -> list[int]:
        return [
            id
            for (id,) in self._connection.execute(
                "SELECT slot.id FROM series JOIN slot ON slot.series=series.id WHERE stream=?", (stream,)
            )
        ]

    def _raw(self, state: StreamState, edge: int) -> Iterator[int]:
        with self._database.transaction() as writer:
            done = writer.execute(
                "DELETE FROM hot WHERE id<? AND shape IN (SELECT id FROM shape WHERE stream=?)",
                (id_from(edge), state.id),
            )
        yield done.rowcount
        slots = self._slots(state.id)
        for (block,) in self._connection.execute(
            "SELECT start FROM block WHERE stream=? AND start<=? ORDER BY start", (state.id, edge - self._size)
        ).fetchall():
            with self._database.transaction() as writer:
                done = writer.executemany(
                    "DELETE FROM chunk WHERE slot=? AND block=?", [(slot, block) for slot in slots]
                )
                writer.execute("DELETE FROM block WHERE stream=? AND start=?", (state.id, block))
            yield done.rowcount

    def _tier(self, stream: int, tier: int, edge: int | None) -> Iterator[int]:
        """Rows of a tier before ``edge``, or all of them."""
        slots = self._slots(stream)
        before = edge if edge is not None else 2**62
        for at in range(0, len(slots), self._SLOTS):
            with self._database.transaction() as writer:
                done = writer.executemany(
                    "DELETE FROM roll WHERE tier=? AND slot=? AND start<?",
                    [(tier, slot, before) for slot in slots[at : at + self._SLOTS]],
                )
            yield done.rowcount
