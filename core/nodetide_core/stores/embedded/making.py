"""The rows of a tier, made from the tier before it."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Container, Iterator
from itertools import groupby
from typing import NamedTuple

from nodetide_core.errors import StoreCorrupt
from nodetide_core.rollup import CounterRollup, GaugeRollup, merge_counters, merge_gauges
from nodetide_core.stores.embedded.context import RawContext
from nodetide_core.stores.embedded.layouts import Slot
from nodetide_core.stores.embedded.raw import RawRange
from nodetide_core.stores.embedded.slots import stream_slots
from nodetide_core.stores.embedded.streams import StreamState
from nodetide_core.stores.embedded.windows import counters, gauges
from nodetide_core.tiers import align_down

__all__ = ["RollRow", "make_rows"]

_log = logging.getLogger(__name__)

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


class RollRow(NamedTuple):
    """As in the table ``roll``, without the tier."""

    slot: int
    start: int
    value: float
    x: float
    y: float
    n: int | None


def make_rows(
    connection: sqlite3.Connection,
    context: RawContext,
    state: StreamState,
    index: int,
    *,
    start: int,
    stop: int,
    wanted: Container[int] | None,
) -> list[RollRow]:
    """Rows of the windows of ``[start, stop)`` of the tier at ``index``, within one snapshot.

    A slot whose points are damaged is logged and left out; what is already made of it stays.

    Args:
        wanted: the windows to make; None for all.
    """
    window, gap = state.tiers[index].tier.window, state.stream.tiers.counter_gap
    raw = RawRange(connection, context, state.id, start - gap, stop) if index == 1 else None
    rows: list[RollRow] = []
    for slot in stream_slots(connection, state.id):
        made: Iterator[tuple[int, GaugeRollup | CounterRollup]]
        if raw is None:
            made = _merged(connection, state.tiers[index - 1].id, slot, (start, stop), window)
        elif slot.counter:
            made = counters(raw.pieces(slot), window, gap)
        else:
            made = gauges(raw.pieces(slot), window)
        try:
            rows += [
                _row(slot.id, at, made_of) for at, made_of in made if at >= start and (wanted is None or at in wanted)
            ]
        except StoreCorrupt as error:
            _log.error("%s; %s of %s is not made from them", error, state.tiers[index].tier.name, state.stream.bucket)
    return rows


def _row(slot: int, start: int, made: GaugeRollup | CounterRollup) -> RollRow:
    if isinstance(made, GaugeRollup):
        return RollRow(slot, start, *made)
    last, increase, seconds = made
    # Only after many resets of huge counters.
    fitting = increase if _INT_MIN <= increase <= _INT_MAX else float(increase)
    return RollRow(slot, start, last, fitting, seconds, None)


def _merged(
    connection: sqlite3.Connection, source: int, slot: Slot, span: tuple[int, int], window: int
) -> Iterator[tuple[int, GaugeRollup | CounterRollup]]:
    rows = connection.execute(
        "SELECT start, value, x, y, n FROM roll WHERE tier=? AND slot=? AND start>=? AND start<? ORDER BY start",
        (source, slot.id, *span),
    )
    for at, group in groupby(rows, lambda row: align_down(row[0], window)):
        if slot.counter:
            yield at, merge_counters(CounterRollup(value, x, y) for _, value, x, y, _ in group)
        else:
            yield at, merge_gauges(GaugeRollup(value, x, y, n) for _, value, x, y, n in group)
