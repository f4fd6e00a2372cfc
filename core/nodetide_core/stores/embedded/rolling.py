"""Making the windows of every tier, missed and changed ones included."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from nodetide_core.rollup import SETTLE
from nodetide_core.stores.embedded.budget import Budget
from nodetide_core.stores.embedded.context import RawContext
from nodetide_core.stores.embedded.database import Database, snapshot
from nodetide_core.stores.embedded.making import make_rows
from nodetide_core.stores.embedded.marks import mark_windows
from nodetide_core.stores.embedded.raw import next_time
from nodetide_core.stores.embedded.slots import stream_slots
from nodetide_core.stores.embedded.streams import StreamState
from nodetide_core.tiers import align_down

__all__ = ["Roller"]

#: Rows written in one transaction, about: writers wait while it runs.
_ROWS = 2_000
#: Seconds of raw points, and windows of other tiers, read in one go.
_RAW_SPAN, _TIER_SPAN = 1_800, 48


class Roller:
    """Makes windows batch by batch; each batch is one transaction with its watermark and marks, so
    that a process killed anywhere leaves every tier as it was before or after it."""

    def __init__(self, database: Database, connection: sqlite3.Connection, context: RawContext) -> None:
        self._database = database
        self._connection = connection
        self._context = context

    def roll(self, state: StreamState, now: int, budget: Budget) -> int:
        """Make what is due, as far as the budget goes; the number of windows made."""
        made = 0
        for index in range(1, len(state.tiers)):
            made += self._changed(state, index, budget)
            made += self._ended(state, index, now, budget)
        return made

    def remaining(self, state: StreamState, now: int) -> int:
        """Windows still to be made, empty ones included."""
        count = 0
        for index in range(1, len(state.tiers)):
            tier = state.tiers[index]
            target = self._target(state, index, now)
            if tier.watermark is not None and target is not None:
                count += max(0, target - tier.watermark) // tier.tier.window
            count += len(self._marked(state, index, 0))
        return count

    def _target(self, state: StreamState, index: int, now: int) -> int | None:
        """The time up to which the source of this tier is complete, in whole windows."""
        window = state.tiers[index].tier.window
        done = now - SETTLE if index == 1 else state.tiers[index - 1].watermark
        return None if done is None else align_down(done, window)

    def _marked(self, state: StreamState, index: int, start: int) -> list[int]:
        """Marked windows from ``start`` on that were made before and can be made now."""
        return [
            at
            for (at,) in self._connection.execute(
                "SELECT start FROM dirty WHERE tier=? AND start>=? AND start<? ORDER BY start LIMIT 10000",
                (state.tiers[index].id, start, self._makeable(state, index)),
            )
        ]

    def _makeable(self, state: StreamState, index: int) -> int:
        """The time up to which windows are made already and their source is complete."""
        tier, source = state.tiers[index], state.tiers[index - 1]
        if index == 1:
            return tier.watermark or 0
        return min(tier.watermark or 0, align_down(source.watermark or 0, tier.tier.window))

    def _changed(self, state: StreamState, index: int, budget: Budget) -> int:
        made, after = 0, 0
        while marked := self._marked(state, index, after):
            if not budget.take():
                break
            start = marked[0]
            after = min(start + self._span(state, index), self._makeable(state, index))
            made += self._make(state, index, start, after, changed=True)
        return made

    def _ended(self, state: StreamState, index: int, now: int, budget: Budget) -> int:
        tier = state.tiers[index]
        target = self._target(state, index, now)
        made = 0
        while target is not None:
            start = tier.watermark
            if start is None:
                first = self._next(state, index, 0)
                if first is None:
                    break
                start = align_down(first, tier.tier.window)
            if start >= target or not budget.take():
                break
            stop = min(target, start + self._span(state, index))
            windows = self._make(state, index, start, stop, changed=False)
            made += windows
            if not windows:
                self._skip(state, index, stop, target)
        return made

    def _skip(self, state: StreamState, index: int, at: int, target: int) -> None:
        """Move the watermark over a hole."""
        tier = state.tiers[index]
        found = self._next(state, index, at)
        stop = target if found is None else min(target, align_down(found, tier.tier.window))
        if stop > at:
            self._make(state, index, at, stop, changed=False)

    def _next(self, state: StreamState, index: int, at: int) -> int | None:
        """A time before which the source has nothing from ``at`` on; None when it has nothing there."""
        source = state.tiers[index - 1]
        with snapshot(self._connection) as connection:
            if index == 1:
                return next_time(connection, state.id, max(at, source.edge or 0), self._context.block_seconds)
            starts = [
                connection.execute(
                    "SELECT min(start) FROM roll WHERE tier=? AND slot=? AND start>=?",
                    (source.id, slot.id, max(at, source.edge or 0)),
                ).fetchone()[0]
                for slot in stream_slots(connection, state.id)
            ]
        return min((start for start in starts if start is not None), default=None)

    def _span(self, state: StreamState, index: int) -> int:
        """Seconds of windows made in one batch."""
        window = state.tiers[index].tier.window
        reach = _RAW_SPAN if index == 1 else _TIER_SPAN * state.tiers[index - 1].tier.window
        slots = len(stream_slots(self._connection, state.id))
        return window * max(1, min(reach // window, _ROWS // max(1, slots)))

    def _make(self, state: StreamState, index: int, start: int, stop: int, *, changed: bool) -> int:
        """Make the windows of ``[start, stop)``, or only the marked ones among them."""
        tier, source = state.tiers[index], state.tiers[index - 1]
        if not changed and index == 1:
            # From here on, a write before `stop` marks its window; what is there already is read below.
            with self._database.lock:
                state.claimed = stop
        with snapshot(self._connection) as connection:
            marks = dict(
                connection.execute(
                    "SELECT start, mark FROM dirty WHERE tier=? AND start>=? AND start<?", (tier.id, start, stop)
                ).fetchall()
            )
            wanted = None
            if changed:
                # What its source has lost in part cannot be made again, and stays.
                wanted = {at for at in marks if at >= (source.edge or 0)}
                start, stop = min(wanted, default=start), max(wanted, default=start) + tier.tier.window
            rows = make_rows(
                connection,
                self._context,
                state,
                index,
                start=start,
                stop=stop,
                wanted=wanted,
            )
        rows = [row for row in rows if row.start >= (tier.edge or 0)]
        starts = {row.start for row in rows}
        with self._database.lock:
            with self._database.transaction() as writer:
                writer.executemany(
                    "INSERT OR REPLACE INTO roll VALUES(?,?,?,?,?,?,?)", [(tier.id, *row) for row in rows]
                )
                writer.executemany(
                    "DELETE FROM dirty WHERE tier=? AND start=? AND mark=?",
                    [(tier.id, at, mark) for at, mark in marks.items()],
                )
                if not changed:
                    writer.execute("UPDATE tier SET watermark=? WHERE id=?", (stop, tier.id))
                self._mark_wider(writer, state, index, starts)
            if not changed:
                tier.watermark = stop
        return len(starts)

    def _mark_wider(self, writer: sqlite3.Connection, state: StreamState, index: int, starts: Collection[int]) -> None:
        """The windows of the next tier that contain these must be made again, where they are made already."""
        if index + 1 == len(state.tiers):
            return
        wider, edge = state.tiers[index + 1], state.tiers[index].edge or 0
        around = {align_down(start, wider.tier.window) for start in starts}
        mark_windows(writer, wider.id, [start for start in around if edge <= start < (wider.watermark or 0)])
