"""Samples of one slot in time order, as two columns. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, TypeAlias

__all__ = ["Piece", "cut", "overlay"]

#: Ascending times and the values there.
Piece: TypeAlias = tuple[Sequence[int], Sequence[Any]]


def cut(piece: Piece, start: int, stop: int) -> Piece:
    """What lies in ``[start, stop)``."""
    times, values = piece
    if times[0] >= start and times[-1] < stop:
        return piece
    low, high = bisect_left(times, start), bisect_left(times, stop)
    return times[low:high], values[low:high]


def overlay(below: Piece, above: Piece) -> Piece:
    """Both together; where both have a value the second counts."""
    merged = dict(zip(*below, strict=True))
    merged.update(zip(*above, strict=True))
    times = sorted(merged)
    return times, [merged[time] for time in times]
