"""Windows that changed after they were rolled up: marked in the transaction that changes them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable

from nodetide_core.stores.embedded.packing import Packed
from nodetide_core.stores.embedded.streams import StreamState
from nodetide_core.tiers import align_down

__all__ = ["changed_windows", "mark_windows"]


def changed_windows(state: StreamState, written: Iterable[Packed]) -> set[int]:
    """Windows of the first tier, already rolled up or being so, that these points change.

    A counter also changes the step of the sample after it, up to ``counter_gap`` later.
    """
    if len(state.tiers) == 1:
        return set()
    window, gap = state.tiers[1].tier.window, state.stream.tiers.counter_gap
    end = max(state.tiers[1].watermark or 0, state.claimed)
    found: set[int] = set()
    for point, layout, _ in written:
        if point.time < end:
            reach = gap if layout.has_counter else 0
            found.update(range(align_down(point.time, window), min(end, point.time + reach + 1), window))
    return found


def mark_windows(connection: sqlite3.Connection, tier: int, starts: Iterable[int]) -> None:
    """Have these windows made again, even if they are being made just now."""
    mark = time.monotonic_ns()
    connection.executemany("INSERT OR REPLACE INTO dirty VALUES(?,?,?)", [(tier, start, mark) for start in starts])
