"""Taking points: durably, all of what is admitted or nothing."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence

from nodetide_core.catalogue import Catalogue
from nodetide_core.points import Point
from nodetide_core.store import Rejected
from nodetide_core.stores.admission import Refused, refuse_time
from nodetide_core.stores.embedded.database import Database
from nodetide_core.stores.embedded.dictionary import Dictionary
from nodetide_core.stores.embedded.hot import insert
from nodetide_core.stores.embedded.marks import changed_windows, mark_windows
from nodetide_core.stores.embedded.packing import Packed, Packer, rows
from nodetide_core.stores.embedded.streams import StreamState
from nodetide_core.stores.retention import oldest_accepted

__all__ = ["Writer"]


class Writer:
    """For the holder of the database's lock."""

    def __init__(self, database: Database, dictionary: Dictionary, catalogue: Catalogue) -> None:
        self._database = database
        self._dictionary = dictionary
        self._packer = Packer(catalogue, dictionary)

    def write(self, state: StreamState, points: Sequence[Point], now: int) -> tuple[list[Point], tuple[Rejected, ...]]:
        """The points taken, as they were understood, and those refused.

        Raises:
            StoreUnavailable: nothing was taken.
        """
        refused: Counter[str] = Counter()
        try:
            with self._database.transaction() as connection:
                packed = list(self._pack(connection, state, points, now, refused))
                shaped = ((row, self._dictionary.shape(connection, state.id, row.layouts)) for row in rows(packed))
                insert(connection, shaped)
                if changed := changed_windows(state, packed):
                    mark_windows(connection, state.tiers[1].id, changed)
        except BaseException:
            # What it remembers of this transaction is not in the database.
            self._dictionary.forget()
            raise
        told = tuple(Rejected(reason, count) for reason, count in sorted(refused.items()))
        return [item.point for item in packed], told

    def _pack(
        self,
        connection: sqlite3.Connection,
        state: StreamState,
        points: Sequence[Point],
        now: int,
        refused: Counter[str],
    ) -> Iterator[Packed]:
        oldest = oldest_accepted(state.stream.tiers, now, state.edges())
        for point in points:
            reason = refuse_time(point.time, now, oldest)
            if reason is None:
                try:
                    yield self._packer.pack(connection, state.id, point)
                    continue
                except Refused as refusal:
                    reason = str(refusal)
            refused[reason] += 1
