"""The database file: how it is made, recognised and opened."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from nodetide_core.errors import StoreCorrupt, StoreUnavailable
from nodetide_core.stores.embedded.failures import store_errors
from nodetide_core.stores.embedded.tables import APPLICATION_ID, TABLES, UPGRADES, VERSION

__all__ = ["FILE_NAME", "check", "connect", "create_if_absent", "make_directory", "upgrade", "verify"]

FILE_NAME = "nodetide.db"

_MAGIC = b"SQLite format 3\x00"


def make_directory(directory: Path) -> None:
    """
    Raises:
        StoreUnavailable
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"cannot make the directory {directory}: {error.strerror}") from error


def create_if_absent(path: Path, block_seconds: int) -> None:
    """Make a new database unless there is one; it appears whole or not at all.

    Raises:
        StoreCorrupt: there is only the log of a database that is missing.
        StoreUnavailable: it cannot be written.
    """
    if path.exists() and path.stat().st_size > 0:
        return
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and wal.stat().st_size > 0:
        raise StoreCorrupt(
            f"{path} is missing or empty, but its log {wal.name} is there; put the one back or move the other away"
        )
    new = path.with_name(path.name + ".new")
    with store_errors(path), _os_errors(path):
        for leftover in (new, new.with_name(new.name + "-journal")):
            leftover.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute("PRAGMA auto_vacuum=incremental")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.executescript(f"BEGIN;{TABLES}PRAGMA user_version={VERSION};COMMIT;")
            connection.executemany(
                "INSERT INTO meta VALUES(?,?)", [("block_seconds", block_seconds), ("byteorder", sys.byteorder)]
            )
        new.replace(path)
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check(path: Path) -> None:
    """See, without SQLite touching it, that the file is a database of ours.

    Raises:
        StoreCorrupt: it is not; it is left as it is.
        StoreUnavailable: there is none, or it cannot be read.
    """
    if not path.exists():
        raise StoreUnavailable(f"there is no store in {path.parent}")
    with _os_errors(path), path.open("rb") as file:
        header = file.read(100)
    away = "move it away, or give Nodetide another directory"
    if len(header) < 100 or not header.startswith(_MAGIC):
        raise StoreCorrupt(f"{path} is not a database; {away}")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise StoreCorrupt(f"{path} is another program's database; {away}")
    version = int.from_bytes(header[60:64], "big")
    if version != VERSION and version not in UPGRADES:
        raise StoreCorrupt(f"{path} has format {version}, and this Nodetide reads format {VERSION}; {away}")


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A connection in autocommit mode, for one thread at a time.

    Raises:
        sqlite3.Error
    """
    options = "mode=ro" if read_only else "mode=rw"
    if read_only and not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists():
        # SQLite needs to write beside the file even to read it, unless told that nobody else writes.
        options = "immutable=1"
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?{options}", uri=True, isolation_level=None, check_same_thread=False, timeout=5.0
    )
    try:
        connection.execute("PRAGMA cache_size=-2000")
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA journal_size_limit=4194304")
            # Upkeep checkpoints long before this; only without upkeep a write has to.
            connection.execute("PRAGMA wal_autocheckpoint=4000")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def upgrade(path: Path) -> None:
    """Bring the tables of an older format to this one, all of them or (raising) none; points stay as they are.

    Raises:
        StoreUnavailable: it cannot be written.
    """
    with store_errors(path), contextlib.closing(connect(path, read_only=False)) as connection:
        # The header of the file may be older than the log.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        while version in UPGRADES:
            connection.executescript(f"BEGIN IMMEDIATE;{UPGRADES[version]}PRAGMA user_version={version + 1};COMMIT;")
            version += 1


def verify(path: Path, *, read_only: bool) -> int:
    """Look through the structure without changing anything, not even folding in the log.

    Returns:
        Seconds of raw points that share a chunk.

    Raises:
        StoreCorrupt: the structure is damaged, or the file comes from a machine of other byte order.
        StoreUnavailable: it cannot be read; or not yet, for it has an older format and nobody may change it.
    """
    with store_errors(path), contextlib.closing(connect(path, read_only=True)) as connection:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise StoreCorrupt(f"{path} is damaged ({found}); move it and its -wal away to start anew")
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    if read_only and version != VERSION:
        raise StoreUnavailable(f"{path} has format {version}; `nodetide run` brings it to format {VERSION}")
    if meta["byteorder"] != sys.byteorder:
        raise StoreCorrupt(f"{path} is from a {meta['byteorder']}-endian machine; this one is {sys.byteorder}-endian")
    return int(meta["block_seconds"])


@contextlib.contextmanager
def _os_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}") from error
