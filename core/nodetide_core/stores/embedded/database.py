"""The one connection that writes, and snapshots for those that read."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from nodetide_core.errors import StoreUnavailable
from nodetide_core.stores.embedded.failures import store_errors
from nodetide_core.stores.embedded.schema import connect

__all__ = ["Database", "snapshot"]


@contextlib.contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All reads inside see the same state of the database."""
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


class Database:
    """Serialises writers.

    Attributes:
        lock: hold it around a transaction together with the memory that must agree with it.
    """

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.path = path
        self.read_only = read_only
        self.lock = threading.RLock()
        self._writer = self.connect()
        self._closed = False

    def connect(self) -> sqlite3.Connection:
        """Another connection to the same file."""
        with store_errors(self.path):
            return connect(self.path, read_only=self.read_only)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Durable when it ends, undone when it raises.

        Raises:
            StoreUnavailable: nothing was changed.
        """
        with self.lock:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            connection = self._writer
            with store_errors(self.path):
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                finally:
                    # SQLite has already rolled back after some failures, such as a full disk.
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")

    def close(self) -> None:
        with self.lock:
            if self._closed:
                return
            self._closed = True
            if not self.read_only:
                # Empties the log; on a full disk it stays, and is read at the next open.
                with contextlib.suppress(sqlite3.Error):
                    self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._writer.close()
