"""Reads in a few threads, each with its own connection; a reader that leaves stops its query."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from nodetide_core.errors import StoreUnavailable
from nodetide_core.stores.embedded.database import snapshot
from nodetide_core.stores.embedded.failures import store_errors

__all__ = ["ReaderPool", "Work"]

_T = TypeVar("_T")

#: What runs in a thread: with a connection inside a snapshot, and a function that raises as soon as
#: nobody waits any more.
Work = Callable[[sqlite3.Connection, Callable[[], None]], _T]


#: Steps of SQLite's machine between two looks at whether somebody still waits: about a millisecond.
_STEPS = 50_000


class _Query:
    """One read, from being asked for to its end."""

    def __init__(self) -> None:
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True

    def stopped(self) -> bool:
        return self._stopped

    def check(self) -> None:
        if self._stopped:
            raise StoreUnavailable("the query was given up")


class ReaderPool:
    """
    Args:
        connect: makes a connection for a thread.
    """

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection], threads: int = 4) -> None:
        self._path = path
        self._connect = connect
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="store-read")
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[sqlite3.Connection] = []
        self._running: set[_Query] = set()
        self._closed = False

    async def run(self, work: Work[_T]) -> _T:
        """
        Raises:
            StoreUnavailable: the read failed or the store is closed.
        """
        query = _Query()
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            future = self._executor.submit(self._call, query, work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            query.stop()
            raise

    def _call(self, query: _Query, work: Work[_T]) -> _T:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            self._running.add(query)
        try:
            with store_errors(self._path):
                connection = self._connection()
                # Unlike `interrupt`, this also stops a statement that begins after `stop`.
                connection.set_progress_handler(query.stopped, _STEPS)
                with snapshot(connection):
                    query.check()
                    return work(connection, query.check)
        finally:
            with self._lock:
                self._running.discard(query)

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = self._connect()
            with self._lock:
                self._connections.append(found)
        return found

    def close(self) -> None:
        """Stop what runs, wait for it, and let go; calling again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for query in self._running:
                query.stop()
        self._executor.shutdown(wait=True)
        for connection in self._connections:
            connection.close()
