"""Answers to range queries, within one snapshot."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from nodetide_core.catalogue import Catalogue
from nodetide_core.rollup import CounterRollup, GaugeRollup
from nodetide_core.store import Column, RangeQuery
from nodetide_core.stores.embedded.context import RawContext
from nodetide_core.stores.embedded.layouts import Slot
from nodetide_core.stores.embedded.pieces import cut
from nodetide_core.stores.embedded.raw import RawRange
from nodetide_core.stores.embedded.slots import Found, find_slots
from nodetide_core.stores.embedded.steps import (
    Steps,
    counter_row_steps,
    counter_steps,
    gauge_row_steps,
    gauge_steps,
)
from nodetide_core.stores.embedded.streams import StreamState, TierState, load_stream
from nodetide_core.stores.queries import check_query

__all__ = ["Reader"]


class Reader:
    """Reads with whatever connection it is given; keeps nothing but shapes."""

    def __init__(self, context: RawContext, catalogue: Catalogue) -> None:
        self._context = context
        self._catalogue = catalogue

    def read(self, connection: sqlite3.Connection, query: RangeQuery, check: Callable[[], None]) -> list[Column]:
        """
        Args:
            check: called between slots; raises when nobody waits for the answer any more.

        Raises:
            StoreRejected: the stream or tier does not exist, or the query makes no sense.
            StoreCorrupt: points in the range are damaged.
        """
        state = load_stream(connection, query.bucket)
        check_query(query, state.stream, self._catalogue)
        tier = state.of_tier(query.tier.name)
        found = find_slots(connection, state.id, query.measurement, query.fields, query.tags)
        start = max(query.start, tier.edge or 0)
        if start >= query.stop or not found:
            return []
        if tier.tier.window:
            steps: Iterator[Steps] = (self._rolled(connection, tier, item.slot, query, start) for item in found)
        else:
            steps = self._raw(connection, state, found, query, start)
        columns = []
        for item, (t, v, n) in zip(found, steps, strict=True):
            check()
            if t:
                columns.append(Column(item.key, item.slot.field, t, v, n))
        return columns

    def _raw(
        self, connection: sqlite3.Connection, state: StreamState, found: list[Found], query: RangeQuery, start: int
    ) -> Iterator[Steps]:
        gap = state.stream.tiers.counter_gap
        # The first step of a counter starts at the sample before the range.
        reach = gap if any(item.slot.counter for item in found) else 0
        wanted = {item.slot.id for item in found}
        since = max(start - reach, state.tiers[0].edge or 0)
        raw = RawRange(connection, self._context, state.id, since, query.stop, wanted=wanted)
        for item in found:
            pieces = raw.pieces(item.slot)
            if item.slot.counter:
                yield counter_steps(pieces, start, query.step, gap, query.aggregate)
            else:
                within = (cut(piece, start, query.stop) for piece in pieces)
                yield gauge_steps((piece for piece in within if piece[0]), query.step, query.aggregate)

    def _rolled(
        self, connection: sqlite3.Connection, tier: TierState, slot: Slot, query: RangeQuery, start: int
    ) -> Steps:
        rows = connection.execute(
            "SELECT start, value, x, y, n FROM roll WHERE tier=? AND slot=? AND start>=? AND start<? ORDER BY start",
            (tier.id, slot.id, start, query.stop),
        )
        # NUMERIC columns give whole floats back as integers.
        number: Callable[[Any], Any] = float if slot.code == "d" else _same
        if slot.counter:
            lasts = ((at, CounterRollup(number(last), number(grown), seconds)) for at, last, grown, seconds, _ in rows)
            return counter_row_steps(lasts, query.step, query.aggregate)
        means = ((at, GaugeRollup(float(mean), number(low), number(high), n)) for at, mean, low, high, n in rows)
        return gauge_row_steps(means, query.step, query.aggregate)


def _same(value: Any) -> Any:
    return value
