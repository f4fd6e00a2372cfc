"""The points not yet sealed: a row for each moment, as it was written."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

from nodetide_core.stores.embedded.layouts import Shape, Shapes, Slot
from nodetide_core.stores.embedded.packing import Row

__all__ = ["LATEST_TIME", "HotColumns", "id_from", "insert", "time_of"]

#: Bits below the time that order rows of the same time.
_BITS = 28
LATEST_TIME = 2**34


def id_from(time: int) -> int:
    """The lowest id that a row of ``time`` can have."""
    return min(max(time, 0), LATEST_TIME) << _BITS


def time_of(id: int) -> int:
    return id >> _BITS


def insert(connection: sqlite3.Connection, rows: Iterable[tuple[Row, int]]) -> None:
    """Append rows, each with the number of its shape; of the same time, the last one counts."""
    for row, shape in rows:
        low = id_from(row.time)
        (last,) = connection.execute(
            "SELECT max(id) FROM hot WHERE id>=? AND id<?", (low, id_from(row.time + 1))
        ).fetchone()
        connection.execute("INSERT INTO hot VALUES(?,?,?)", (low if last is None else last + 1, shape, row.data))


class HotColumns:
    """The hot rows of ``[start, stop)``, turned into columns as they are asked for.

    Args:
        wanted: ids of slots to read; None for all, of every stream.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        shapes: Shapes,
        start: int,
        stop: int,
        wanted: Collection[int] | None = None,
    ) -> None:
        self.ids: list[int] = []
        self.parts: dict[int, _Part] = {}
        skipped: set[int] = set()
        for id, shape_id, data in connection.execute(
            "SELECT id, shape, b FROM hot WHERE id>=? AND id<? ORDER BY id", (id_from(start), id_from(stop))
        ):
            part = self.parts.get(shape_id)
            if part is None:
                if shape_id in skipped:
                    continue
                part = _Part.of(shapes.get(connection, shape_id), wanted)
                if part is None:
                    skipped.add(shape_id)
                    continue
                self.parts[shape_id] = part
            self.ids.append(id)
            part.ids.append(id)
            part.numbers.frombytes(data[part.low : part.high])
        self._by_slot: dict[int, list[_Part]] = {}
        for part in self.parts.values():
            for slot in part.slots:
                self._by_slot.setdefault(slot, []).append(part)
        self._merges: dict[tuple[int, ...], _Merge] = {}

    def slots(self) -> Iterator[Slot]:
        return (parts[0].slots[id][1] for id, parts in self._by_slot.items())

    def column(self, slot: int) -> tuple[Sequence[int], array[Any]]:
        """Ascending times and the values there; empty where there are none."""
        parts = self._by_slot.get(slot)
        if parts is None:
            return (), array("d")
        key = tuple(part.shape.id for part in parts)
        merge = self._merges.get(key)
        if merge is None:
            merge = self._merges[key] = _Merge([part.ids for part in parts])
        values = parts[0].values(slot)
        for part in parts[1:]:
            values.extend(part.values(slot))
        return merge.times, values if merge.pick is None else array(values.typecode, merge.pick(values))


class _Part:
    """Rows of one shape."""

    def __init__(self, shape: Shape, slots: dict[int, tuple[int, Slot]], low: int, high: int) -> None:
        self.shape = shape
        self.slots = slots
        self.low, self.high = 8 * low, 8 * high
        self.ids: list[int] = []
        self.numbers = array("q")

    @classmethod
    def of(cls, shape: Shape, wanted: Collection[int] | None) -> _Part | None:
        slots = shape.offsets if wanted is None else {id: shape.offsets[id] for id in wanted if id in shape.offsets}
        if not slots:
            return None
        places = [place for place, _ in slots.values()]
        return cls(shape, slots, min(places), max(places) + 1)

    def values(self, slot: int) -> array[Any]:
        place, found = self.slots[slot]
        bits = self.numbers[place - self.low // 8 :: (self.high - self.low) // 8]
        return bits if found.array_code == "q" else array("d", bits.tobytes())


class _Merge:
    """How the rows of several shapes become one column: in order, and one value a second.

    Attributes:
        pick: takes the values that count, in order; None when that is all of them.
    """

    def __init__(self, ids: Sequence[Sequence[int]]) -> None:
        joined = [id for part in ids for id in part]
        order = sorted(range(len(joined)), key=joined.__getitem__)
        times = [joined[at] >> _BITS for at in order]
        # Of several rows of one second the last counts.
        kept = [at for at, time in enumerate(times) if at + 1 == len(times) or times[at + 1] != time]
        taken = [order[at] for at in kept]
        self.times: Sequence[int] = times if len(kept) == len(times) else [times[at] for at in kept]
        self.pick: Any = None
        if taken != list(range(len(joined))):
            self.pick = itemgetter(*taken) if len(taken) > 1 else lambda values, only=taken[0]: (values[only],)
        first, last = self.times[0], self.times[-1]
        if len(self.times) > 1:
            step = self.times[1] - first
            even = range(first, last + 1, step)
            if len(even) == len(self.times) and self.times == list(even):
                self.times = even
