"""Putting together the parts of an answer that came from different tiers."""

from __future__ import annotations

from collections.abc import Iterable

from nodetide_core.points import SeriesKey
from nodetide_core.store import Aggregate, Column

__all__ = ["merge_columns"]


def merge_columns(parts: Iterable[Iterable[Column]], aggregate: Aggregate) -> list[Column]:
    """Columns of several parts, in time order, as one column per series and field.

    A step that lies across two parts becomes one value: means and rates weighted, sums added, the
    later of two lasts.
    """
    merged: dict[tuple[SeriesKey, str], tuple[Column, list[int], list[float], list[float]]] = {}
    for part in parts:
        for column in part:
            _, t, v, n = merged.setdefault((column.key, column.field), (column, [], [], []))
            # Parts are one after the other, so they share one step at most.
            shared = 1 if t and column.t and t[-1] == column.t[0] else 0
            if shared:
                v[-1] = _join(aggregate, v[-1], n[-1], column.v[0], column.n[0])
                n[-1] += column.n[0]
            t += column.t[shared:]
            v += column.v[shared:]
            n += column.n[shared:]
    return [
        Column(column.key, column.field, t, v, n)
        for _, (column, t, v, n) in sorted(merged.items(), key=lambda item: item[0])
    ]


def _join(aggregate: Aggregate, left: float, left_n: float, right: float, right_n: float) -> float:
    if aggregate in (Aggregate.MEAN, Aggregate.RATE):
        total = left_n + right_n
        return (left * left_n + right * right_n) / total if total else right
    if aggregate is Aggregate.MIN:
        return min(left, right)
    if aggregate is Aggregate.MAX:
        return max(left, right)
    if aggregate in (Aggregate.COUNT, Aggregate.INCREASE):
        return left + right
    return right
