"""Streams and their tiers as the store holds them, and what changing them means."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from itertools import pairwise

from nodetide_core.durations import format_duration
from nodetide_core.errors import StoreRejected
from nodetide_core.store import Stream
from nodetide_core.stores.retention import first_whole_window
from nodetide_core.tiers import Tier, Tiers

__all__ = ["StreamState", "TierState", "check_change", "load_stream", "load_streams", "save_stream"]


@dataclass(slots=True)
class TierState:
    """
    Attributes:
        watermark: time up to which its windows are rolled up; None before the first, and for raw.
        edge: time before which its data is gone; None while nothing is.
        swept: the edge up to which the rows are removed too.
    """

    id: int
    tier: Tier
    watermark: int | None
    edge: int | None
    swept: int | None


@dataclass(slots=True)
class StreamState:
    """
    Attributes:
        tiers: raw first, as in ``stream.tiers``.
        claimed: what is being rolled up now reaches to here; later points before it come too late
            for that and mark their windows.
    """

    id: int
    stream: Stream
    tiers: list[TierState]
    claimed: int = 0

    def edges(self) -> dict[str, int]:
        return {state.tier.name: state.edge for state in self.tiers if state.edge is not None}

    def of_tier(self, name: str) -> TierState:
        """The state of a tier that the stream has."""
        return next(state for state in self.tiers if state.tier.name == name)


def load_streams(connection: sqlite3.Connection) -> list[StreamState]:
    rows = connection.execute("SELECT id, bucket, name, interval, counter_gap FROM stream ORDER BY bucket").fetchall()
    return [_load(connection, row) for row in rows]


def load_stream(connection: sqlite3.Connection, bucket: str) -> StreamState:
    """
    Raises:
        StoreRejected: there is no such stream.
    """
    row = connection.execute(
        "SELECT id, bucket, name, interval, counter_gap FROM stream WHERE bucket=?", (bucket,)
    ).fetchone()
    if row is None:
        raise StoreRejected(f"no stream has the bucket {bucket!r}")
    return _load(connection, row)


def _load(connection: sqlite3.Connection, row: tuple[int, str, str, int, int]) -> StreamState:
    id, bucket, name, interval, gap = row
    tiers = [
        TierState(tier_id, Tier(tier_name, window, retention), watermark, edge, swept)
        for tier_id, tier_name, window, retention, watermark, edge, swept in connection.execute(
            "SELECT id, name, window, retention, watermark, edge, swept FROM tier "
            "WHERE stream=? AND NOT dropped ORDER BY window",
            (id,),
        )
    ]
    return StreamState(id, Stream(name, bucket, Tiers(tuple(state.tier for state in tiers), gap), interval), tiers)


def check_change(old: StreamState | None, wanted: Stream) -> None:
    """
    Raises:
        StoreRejected: the tiers cannot be, or the change loses data and the stream does not allow it.
    """
    _check_tiers(wanted)
    if old is None or wanted.allow_data_loss:
        return
    by_window = {tier.window: tier for tier in wanted.tiers.tiers}
    for state in old.tiers:
        tier = by_window.get(state.tier.window)
        had = format_duration(state.tier.retention) if state.tier.retention else "for ever"
        if tier is None:
            loss = f"removing the tier {state.tier.name}"
        elif tier.retention and (state.tier.retention == 0 or tier.retention < state.tier.retention):
            loss = f"keeping {tier.name} for {format_duration(tier.retention)} instead of {had}"
        else:
            continue
        raise StoreRejected(f"{wanted.bucket}: {loss} would lose data, and the stream does not allow that")


def _check_tiers(wanted: Stream) -> None:
    tiers = wanted.tiers.tiers
    if not tiers or tiers[0].window != 0 or len({tier.name for tier in tiers}) != len(tiers):
        raise StoreRejected(f"{wanted.bucket}: the first tier must be raw, with no window, and names be unique")
    for before, tier in pairwise(tiers):
        if tier.window <= before.window or (before.window and tier.window % before.window):
            raise StoreRejected(f"{wanted.bucket}: the window of {tier.name} must be a multiple of {before.name}'s")


def save_stream(connection: sqlite3.Connection, old: StreamState | None, wanted: Stream) -> None:
    """Write the definition, checked by `check_change`; a tier is known by its window.

    A tier put in later starts with the first window that its source still holds as a whole.
    """
    gap = wanted.tiers.counter_gap
    if old is None:
        inserted = connection.execute(
            "INSERT INTO stream(bucket, name, interval, counter_gap) VALUES(?,?,?,?)",
            (wanted.bucket, wanted.name, wanted.interval, gap),
        )
        stream_id = inserted.lastrowid
    else:
        stream_id = old.id
        connection.execute(
            "UPDATE stream SET name=?, interval=?, counter_gap=? WHERE id=?",
            (wanted.name, wanted.interval, gap, stream_id),
        )
    known = {state.tier.window: state for state in old.tiers} if old else {}
    edges = {window: state.edge for window, state in known.items()}
    for before, tier in zip((None, *wanted.tiers.tiers), wanted.tiers.tiers, strict=False):
        if tier.window in known:
            connection.execute(
                "UPDATE tier SET name=?, retention=? WHERE id=?", (tier.name, tier.retention, known[tier.window].id)
            )
            continue
        lost = edges.get(before.window) if before else None
        start = None if lost is None or before is None else first_whole_window(wanted.tiers, before, tier.window, lost)
        edges[tier.window] = start
        connection.execute(
            "INSERT INTO tier(stream, name, window, retention, watermark, edge, swept) VALUES(?,?,?,?,?,?,?)",
            (stream_id, tier.name, tier.window, tier.retention, start, start, start),
        )
    kept = {tier.window for tier in wanted.tiers.tiers}
    gone = [(state.id,) for window, state in known.items() if window not in kept]
    connection.executemany("UPDATE tier SET dropped=1 WHERE id=?", gone)
    connection.executemany("DELETE FROM dirty WHERE tier=?", gone)
