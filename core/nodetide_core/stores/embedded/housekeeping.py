"""Forgetting series whose last data is gone, and giving back disk space."""

from __future__ import annotations

from nodetide_core.stores.embedded.database import Database
from nodetide_core.stores.embedded.dictionary import Dictionary, forget_shapes
from nodetide_core.stores.embedded.streams import StreamState

__all__ = ["forget_series", "shrink"]

#: Pages given back at a time, and how many must be free: ordinary days use theirs again.
_MOST, _WORTH = 2_000, 256


def forget_series(database: Database, dictionary: Dictionary, state: StreamState, size: int) -> int:
    """Remove series of which nothing is left in any tier; the number removed.

    Args:
        size: seconds of a block: a chunk goes when all of it is before the edge.
    """
    swept = [tier.swept for tier in state.tiers if tier.swept is not None]
    if len(swept) < len(state.tiers):
        return 0
    oldest = min(swept) - size
    with database.lock:
        with database.transaction() as writer:
            forget_shapes(writer)
            hot = {id for (id,) in writer.execute("SELECT series FROM layout")}
            old = writer.execute("SELECT id FROM series WHERE stream=? AND last<?", (state.id, oldest)).fetchall()
            gone = [(id,) for (id,) in old if id not in hot]
            writer.executemany("DELETE FROM slot WHERE series=?", gone)
            writer.executemany("DELETE FROM series WHERE id=?", gone)
        dictionary.forget()
    return len(gone)


def shrink(database: Database) -> None:
    """Give free pages back to the file system when most are free."""
    with database.transaction() as writer:
        (free,) = writer.execute("PRAGMA freelist_count").fetchone()
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        if free > max(_WORTH, pages / 2):
            for _ in range(min(free, _MOST)):
                # Asked for more, Python's cursor stops after the first all the same.
                writer.execute("PRAGMA incremental_vacuum(1)")
