"""The tables of the database."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["APPLICATION_ID", "TABLES", "UPGRADES", "VERSION"]

APPLICATION_ID = 0x4E546964  # "NTid"
#: Changes with every change of what follows.
VERSION = 2

# left_at: `AlertState.left`, a word of SQL's. saved: when.
_ALERTS = """
CREATE TABLE alert(
    stream INTEGER, alert TEXT, severity TEXT, tags TEXT,
    phase TEXT NOT NULL,
    since INTEGER NOT NULL, fired INTEGER NOT NULL, left_at INTEGER NOT NULL, seen INTEGER NOT NULL,
    value REAL NOT NULL,
    labels TEXT NOT NULL, annotations TEXT NOT NULL, silenced INTEGER NOT NULL, reason TEXT NOT NULL,
    saved INTEGER NOT NULL,
    PRIMARY KEY(stream, alert, severity, tags)
) WITHOUT ROWID;
CREATE TABLE told(
    stream INTEGER, receiver TEXT, id TEXT,
    severity TEXT NOT NULL, starts_at INTEGER NOT NULL, at INTEGER NOT NULL,
    saved INTEGER NOT NULL,
    PRIMARY KEY(stream, receiver, id)
) WITHOUT ROWID;
"""

#: What makes of each older version the one after it.
UPGRADES: Mapping[int, str] = {1: _ALERTS}

# Ids that other rows or caches remember are never used again: AUTOINCREMENT.
_POINTS = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE stream(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    interval INTEGER NOT NULL,
    counter_gap INTEGER NOT NULL
);
-- edge: what is older is gone; swept: as far as its rows are removed too.
CREATE TABLE tier(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream INTEGER NOT NULL,
    name TEXT NOT NULL,
    window INTEGER NOT NULL,
    retention INTEGER NOT NULL,
    watermark INTEGER,
    edge INTEGER,
    swept INTEGER,
    dropped INTEGER NOT NULL DEFAULT 0
);

-- last: time of the newest sealed sample.
CREATE TABLE series(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream INTEGER NOT NULL,
    measurement TEXT NOT NULL,
    tags TEXT NOT NULL,
    last INTEGER NOT NULL DEFAULT 0,
    UNIQUE(stream, measurement, tags)
);
-- One field of one series. code: d float, q integer, t text (the id of it).
CREATE TABLE slot(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    series INTEGER NOT NULL,
    field TEXT NOT NULL,
    code TEXT NOT NULL,
    counter INTEGER NOT NULL,
    UNIQUE(series, field)
);
CREATE TABLE text(id INTEGER PRIMARY KEY, value TEXT NOT NULL UNIQUE);

-- A layout is which slots of a series stand side by side in a hot row; a shape, which layouts make the row.
CREATE TABLE layout(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    series INTEGER NOT NULL,
    slots BLOB NOT NULL,
    UNIQUE(series, slots)
);
CREATE TABLE shape(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream INTEGER NOT NULL,
    layouts BLOB NOT NULL,
    UNIQUE(stream, layouts)
);
-- id: time and, below it, the order of rows of the same time; 8 bytes a value in b.
CREATE TABLE hot(id INTEGER PRIMARY KEY, shape INTEGER NOT NULL, b BLOB NOT NULL);

CREATE TABLE block(stream INTEGER, start INTEGER, PRIMARY KEY(stream, start)) WITHOUT ROWID;
-- step 0: the times are in b.
CREATE TABLE chunk(
    id INTEGER PRIMARY KEY,
    slot INTEGER NOT NULL,
    block INTEGER NOT NULL,
    first INTEGER NOT NULL,
    step INTEGER NOT NULL,
    n INTEGER NOT NULL,
    b BLOB NOT NULL
);
CREATE UNIQUE INDEX chunk_slot ON chunk(slot, block);

-- value, x, y, n: mean, min, max, count of a gauge; last, increase, seconds, nothing of a counter.
-- NUMERIC: whole numbers take few bytes, and 64 bits stay exact.
CREATE TABLE roll(
    tier INTEGER, slot INTEGER, start INTEGER,
    value NUMERIC, x NUMERIC, y NUMERIC, n INTEGER,
    PRIMARY KEY(tier, slot, start)
) WITHOUT ROWID;
-- Windows to roll up again. mark: a new one each time, so that a change meanwhile is not forgotten.
CREATE TABLE dirty(tier INTEGER, start INTEGER, mark INTEGER, PRIMARY KEY(tier, start)) WITHOUT ROWID;
"""
TABLES = _POINTS + _ALERTS
