"""SQLite's errors as the errors of a store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nodetide_core.errors import StoreCorrupt, StoreError, StoreUnavailable

__all__ = ["as_store_error", "store_errors"]

#: By message, because the codes are on the exception only from Python 3.11.
_DAMAGED = ("malformed", "not a database", "decode to UTF-8")


def as_store_error(error: sqlite3.Error, path: Path) -> StoreError:
    """What ``error`` means to the caller of a store; the message names the file."""
    text = str(error)
    if isinstance(error, sqlite3.DatabaseError) and any(mark in text for mark in _DAMAGED):
        return StoreCorrupt(
            f"{path} is damaged ({text}); stop Nodetide and move the file and its -wal away to start anew"
        )
    return StoreUnavailable(f"{path}: {text}")


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise as_store_error(error, path) from error
