"""What upkeep does in one call, bounded."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection

from nodetide_core.store import RollupReport
from nodetide_core.stores.embedded.budget import Budget
from nodetide_core.stores.embedded.chunks import Sealer
from nodetide_core.stores.embedded.context import RawContext
from nodetide_core.stores.embedded.database import Database
from nodetide_core.stores.embedded.dictionary import Dictionary
from nodetide_core.stores.embedded.expiry import Sweeper, advance_edges
from nodetide_core.stores.embedded.housekeeping import forget_series, shrink
from nodetide_core.stores.embedded.rolling import Roller
from nodetide_core.stores.embedded.streams import StreamState

__all__ = ["Chores"]

#: Batches of windows and of removed rows in one call, and blocks sealed.
_BATCHES, _BLOCKS = 20, 4
#: Seconds between two looks for blocks to seal: late points come in bursts, and each look at a block
#: that some came into compresses it anew.
_SEAL_EVERY = 60
_DAY = 86_400
#: Bytes of log from which it is written back into the file.
_LOG = 2_000_000


class Chores:
    """For one thread at a time."""

    def __init__(
        self,
        database: Database,
        connection: sqlite3.Connection,
        context: RawContext,
        dictionary: Dictionary,
        *,
        stopping: threading.Event,
    ) -> None:
        self._database = database
        self._connection = connection
        self._dictionary = dictionary
        self._context = context
        self._stopping = stopping
        self._roller = Roller(database, connection, context)
        self._sealer = Sealer(database, connection, context, dictionary)
        self._sweeper = Sweeper(database, connection, context.block_seconds)
        self._sealed_at: int | None = None
        self._tidied_at: int | None = None

    def run(self, streams: Collection[StreamState], now: int) -> RollupReport:
        """Roll up, expire, seal and tidy up, as far as one call goes."""
        budget = Budget(_BATCHES, self._stopping)
        windows = sum(self._roller.roll(state, now, budget) for state in streams)
        expired = 0
        for state in streams:
            advance_edges(self._database, state, now)
            expired += self._sweeper.sweep(state, budget)
        expired += self._sweeper.drop(budget)
        remaining = self._seal(now) + sum(self._roller.remaining(state, now) for state in streams)
        self._tidy(streams, now)
        self._write_back()
        return RollupReport(windows, expired, max(remaining, int(budget.spent)))

    def _seal(self, now: int) -> int:
        """The number of blocks left to be sealed."""
        if self._sealed_at is not None and abs(now - self._sealed_at) < _SEAL_EVERY:
            return 0
        due = self._sealer.due(now)
        budget = Budget(_BLOCKS, self._stopping)
        for done, block in enumerate(due):
            if not budget.take():
                return len(due) - done
            self._sealer.seal(block)
        self._sealed_at = now
        return 0

    def _tidy(self, streams: Collection[StreamState], now: int) -> None:
        if self._tidied_at is not None and abs(now - self._tidied_at) < _DAY:
            return
        for state in streams:
            forget_series(self._database, self._dictionary, state, self._context.block_seconds)
        shrink(self._database)
        self._tidied_at = now

    def _write_back(self) -> None:
        """Here, so that no write has to wait for it."""
        log = self._database.path.with_name(self._database.path.name + "-wal")
        if log.exists() and log.stat().st_size > _LOG:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
