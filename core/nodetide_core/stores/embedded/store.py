"""The embedded store as a whole."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nodetide_core.alerts.model import AlertKey, Reading
from nodetide_core.alerts.ports import AlertRecord, Remembered, Told, ToldKey
from nodetide_core.catalogue import CATALOGUE
from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.points import Point, Tags
from nodetide_core.store import Column, Latest, RangeQuery, RollupReport, Stream, WriteReport
from nodetide_core.stores.embedded import schema
from nodetide_core.stores.embedded.alerts import load_records, load_remembered, save_remembered
from nodetide_core.stores.embedded.chores import Chores
from nodetide_core.stores.embedded.context import RawContext
from nodetide_core.stores.embedded.database import Database, snapshot
from nodetide_core.stores.embedded.dictionary import Dictionary
from nodetide_core.stores.embedded.failures import store_errors
from nodetide_core.stores.embedded.lastseen import load_last_seen
from nodetide_core.stores.embedded.layouts import Shapes
from nodetide_core.stores.embedded.lock import DirectoryLock
from nodetide_core.stores.embedded.newest import Newest, load_hosts, load_newest
from nodetide_core.stores.embedded.pool import ReaderPool
from nodetide_core.stores.embedded.reading import Reader
from nodetide_core.stores.embedded.streams import StreamState, check_change, load_stream, load_streams, save_stream
from nodetide_core.stores.embedded.writing import Writer

__all__ = ["EmbeddedStore"]


class EmbeddedStore:
    """A `nodetide_core.store.Store` in one directory, and what alerts ask for; made by `open`.

    One connection writes, one does upkeep, and each reading thread has its own.
    """

    def __init__(
        self,
        database: Database,
        upkeep: sqlite3.Connection,
        lock: DirectoryLock | None,
        block_seconds: int,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._lock = lock
        self._clock = clock
        self._context = RawContext(database.path, Shapes(), block_seconds)
        dictionary = Dictionary(CATALOGUE)
        self._writer = Writer(database, dictionary, CATALOGUE)
        self._reader = Reader(self._context, CATALOGUE)
        self._pool = ReaderPool(database.path, database.connect)
        # Taken before the database's lock, never inside it.
        self._upkeep_lock = threading.Lock()
        self._upkeep = upkeep
        self._closing = threading.Event()
        self._chores = Chores(database, upkeep, self._context, dictionary, stopping=self._closing)
        # Both guarded by the database's lock; newest also by its own, so that `latest` waits for no disk.
        self._streams: dict[str, StreamState] = {}
        self._newest: dict[str, Newest] = {}
        self._newest_lock = threading.Lock()
        #: When it was last remembered that alerts of a bucket are evaluated.
        self._evaluated: dict[str, int] = {}

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        clock: Callable[[], float] = time.time,
        read_only: bool = False,
        block_seconds: int = 1_800,
    ) -> EmbeddedStore:
        """Open the store in ``directory``; both are made where they are missing.

        Args:
            read_only: read beside the process that writes; writing and upkeep are refused.
            block_seconds: raw points that share a chunk, when the store is made.

        Raises:
            StoreBusy: another process has it open for writing.
            StoreCorrupt: the file is damaged or not ours; it is left as it is.
            StoreUnavailable: the directory or the file cannot be read or written.
        """
        path = directory / schema.FILE_NAME
        with contextlib.ExitStack() as undo:
            lock = None
            if not read_only:
                schema.make_directory(directory)
                lock = DirectoryLock.take(directory)
                undo.callback(lock.release)
                schema.create_if_absent(path, block_seconds)
            schema.check(path)
            size = schema.verify(path, read_only=read_only)
            if not read_only:
                schema.upgrade(path)
            database = Database(path, read_only=read_only)
            undo.callback(database.close)
            upkeep = database.connect()
            undo.callback(upkeep.close)
            with store_errors(path):
                store = cls(database, upkeep, lock, size, clock)
                store._load()
            undo.pop_all()
            return store

    def _load(self) -> None:
        with snapshot(self._upkeep) as connection:
            self._streams = {state.stream.bucket: state for state in load_streams(connection)}
            if not self._database.read_only:
                self._newest = {bucket: self._read_newest(connection, state) for bucket, state in self._streams.items()}

    def _read_newest(self, connection: sqlite3.Connection, state: StreamState) -> Newest:
        return load_newest(connection, self._context, state, int(self._clock()))

    def ensure(self, streams: Sequence[Stream]) -> None:
        self._refuse_read_only()
        with self._upkeep_lock, self._database.lock:
            for wanted in streams:
                check_change(self._streams.get(wanted.bucket), wanted)
            with self._database.transaction() as connection:
                for wanted in streams:
                    save_stream(connection, self._streams.get(wanted.bucket), wanted)
                found = {state.stream.bucket: state for state in load_streams(connection)}
            self._streams = found
            with self._newest_lock:
                self._newest = {bucket: self._newest.get(bucket, Newest()) for bucket in found}

    def write(self, bucket: str, points: Sequence[Point]) -> WriteReport:
        self._refuse_read_only()
        with self._database.lock:
            state = self._streams.get(bucket)
            if state is None:
                raise StoreRejected(f"no stream has the bucket {bucket!r}")
            written, refused = self._writer.write(state, points, int(self._clock()))
            with self._newest_lock:
                newest = self._newest[bucket]
                for point in written:
                    newest.add(point)
        return WriteReport(len(written), refused)

    def rollup(self, now: int) -> RollupReport:
        """Besides what the port says: seal closed blocks, and keep the file and its log small."""
        self._refuse_read_only()
        with self._upkeep_lock:
            if self._closing.is_set():
                raise StoreUnavailable("the store is closed")
            with self._newest_lock:
                for newest in self._newest.values():
                    newest.prune(now)
            with store_errors(self._database.path):
                return self._chores.run(list(self._streams.values()), now)

    def close(self) -> None:
        self._closing.set()
        self._pool.close()
        with self._upkeep_lock:
            self._upkeep.close()
            self._database.close()
            if self._lock is not None:
                self._lock.release()

    async def streams(self) -> Sequence[Stream]:
        return await self._pool.run(lambda connection, _: [state.stream for state in load_streams(connection)])

    async def read(self, query: RangeQuery) -> list[Column]:
        """
        Raises:
            StoreRejected: the query makes no sense.
            StoreCorrupt: points in its range are damaged.
            StoreUnavailable
        """
        return await self._pool.run(lambda connection, check: self._reader.read(connection, query, check))

    async def latest(self, bucket: str, measurements: frozenset[str], hosts: frozenset[str]) -> list[Latest]:
        if self._database.read_only:
            return await self._pool.run(
                lambda connection, _: self._read_latest(connection, bucket, measurements, hosts)
            )
        if self._closing.is_set():
            raise StoreUnavailable("the store is closed")
        with self._newest_lock:
            newest, state = self._newest.get(bucket), self._streams.get(bucket)
            if newest is None or state is None:
                raise StoreRejected(f"no stream has the bucket {bucket!r}")
            return newest.select(state, int(self._clock()), measurements, hosts)

    def _read_latest(
        self, connection: sqlite3.Connection, bucket: str, measurements: frozenset[str], hosts: frozenset[str]
    ) -> list[Latest]:
        state = load_stream(connection, bucket)
        newest = self._read_newest(connection, state)
        return newest.select(state, int(self._clock()), measurements, hosts)

    async def hosts(self, bucket: str) -> Mapping[str, int]:
        now = int(self._clock())
        return await self._pool.run(
            lambda connection, _: load_hosts(connection, load_stream(connection, bucket), self._context.shapes, now)
        )

    async def watermarks(self, bucket: str) -> Mapping[str, int]:
        def work(connection: sqlite3.Connection, _: Callable[[], None]) -> Mapping[str, int]:
            tiers = load_stream(connection, bucket).tiers
            return {tier.tier.name: tier.watermark for tier in tiers if tier.watermark is not None}

        return await self._pool.run(work)

    async def last_seen(self, bucket: str, measurement: str, field: str | None, since: int) -> Mapping[Tags, int]:
        return await self._pool.run(
            lambda connection, _: load_last_seen(
                connection, self._context, load_stream(connection, bucket), measurement, field, since=since
            )
        )

    async def flux(self, bucket: str, text: str) -> Sequence[Reading]:
        raise StoreRejected("an alert of type flux needs InfluxDB; the embedded store knows no Flux")

    async def alerts(self, bucket: str) -> Mapping[AlertKey, AlertRecord]:
        return await self._pool.run(lambda connection, _: load_records(connection, load_stream(connection, bucket)))

    async def evaluated(self, bucket: str) -> int:
        await self._pool.run(lambda connection, _: load_stream(connection, bucket))
        return self._evaluated.get(bucket, 0)

    def remembered(self, bucket: str) -> Remembered:
        with self._database.transaction() as connection:
            return load_remembered(connection, load_stream(connection, bucket))

    def remember(
        self,
        bucket: str,
        records: Mapping[AlertKey, AlertRecord | None],
        told: Mapping[ToldKey, Told | None],
        now: int,
    ) -> None:
        self._refuse_read_only()
        with self._database.transaction() as connection:
            save_remembered(connection, load_stream(connection, bucket), records, told, now)
        if records or not told:
            self._evaluated[bucket] = now

    async def ready(self) -> None:
        await self._pool.run(lambda connection, _: connection.execute("SELECT max(id) FROM hot").fetchone())

    def _refuse_read_only(self) -> None:
        if self._database.read_only:
            raise StoreRejected(f"{self._database.path} was opened to be read only")
