"""The embedded store: one SQLite file in one directory, from the standard library alone.

Points of one moment are one row, committed durably as they come (`hot`).  Every half hour they are
sealed into compressed columns (`chunks`, `codec`).  Rollups are narrow rows (`rolling`).  Reads see
one snapshot of all three.
"""

from nodetide_core.stores.embedded.store import EmbeddedStore

__all__ = ["EmbeddedStore"]
