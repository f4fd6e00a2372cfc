from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.frames import merge_columns
from nodetide_core.points import SeriesKey
from nodetide_core.store import Aggregate, Column

A, B = SeriesKey("cpu", (("cpu", "cpu0"),)), SeriesKey("cpu", (("cpu", "cpu1"),))


def column(key: SeriesKey, field: str, rows: list[tuple[int, float, float]]) -> Column:
    return Column(key, field, [t for t, _, _ in rows], [v for _, v, _ in rows], [n for _, _, n in rows])


def rows(columns: list[Column]) -> dict[tuple[SeriesKey, str], list[tuple[int, float, float]]]:
    return {(c.key, c.field): list(zip(c.t, c.v, c.n, strict=True)) for c in columns}


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        (Aggregate.MEAN, (10, 2.5, 4.0)),
        (Aggregate.RATE, (10, 2.5, 4.0)),
        (Aggregate.MIN, (10, 2.0, 4.0)),
        (Aggregate.MAX, (10, 4.0, 4.0)),
        (Aggregate.COUNT, (10, 6.0, 4.0)),
        (Aggregate.INCREASE, (10, 6.0, 4.0)),
        (Aggregate.LAST, (10, 4.0, 4.0)),
    ],
)
def test_a_step_across_two_parts_becomes_one_value(aggregate: Aggregate, expected: tuple[int, float, float]):
    first = column(A, "f", [(0, 1.0, 1.0), (10, 2.0, 3.0)])
    second = column(A, "f", [(10, 4.0, 1.0), (20, 9.0, 1.0)])
    found = rows(merge_columns([[first], [second]], aggregate))
    assert found == {(A, "f"): [(0, 1.0, 1.0), expected, (20, 9.0, 1.0)]}


def test_every_aggregate_can_be_joined():
    part = [column(A, "f", [(0, 5.0, 1.0)])]
    for aggregate in Aggregate:
        assert rows(merge_columns([part, part], aggregate))[A, "f"][0][:2] in [(0, 5.0), (0, 10.0)]


def test_values_without_weight_do_not_divide_by_nothing():
    part = [[column(A, "f", [(0, 1.0, 0.0)])], [column(A, "f", [(0, 3.0, 0.0)])]]
    assert rows(merge_columns(part, Aggregate.RATE)) == {(A, "f"): [(0, 3.0, 0.0)]}


def test_columns_are_in_the_order_of_series_and_field():
    parts = [[column(B, "f", [(0, 1.0, 1.0)])], [column(A, "g", [(5, 2.0, 1.0)]), column(A, "f", [(5, 3.0, 1.0)])]]
    assert [(c.key, c.field) for c in merge_columns(parts, Aggregate.LAST)] == [(A, "f"), (A, "g"), (B, "f")]


def test_nothing_gives_nothing():
    assert merge_columns([], Aggregate.MEAN) == []
    assert merge_columns([[], []], Aggregate.MEAN) == []


def test_the_parts_stay_as_they_are():
    first, second = column(A, "f", [(0, 1.0, 1.0)]), column(A, "f", [(0, 2.0, 1.0)])
    merge_columns([[first], [second]], Aggregate.COUNT)
    assert (first.v, second.v, first.n) == ([1.0], [2.0], [1.0])


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.integers(0, 60), st.integers(0, 1000)), max_size=60))
def test_means_of_parts_are_the_mean_of_all(samples: list[tuple[SeriesKey, int, int]]):
    """Cut anywhere, in two places, the answer is that of the samples together."""
    step = 10
    parts = []
    for low, high in ((0, 17), (17, 35), (35, 61)):
        grouped: dict[tuple[SeriesKey, int], list[int]] = defaultdict(list)
        for key, time, value in samples:
            if low <= time < high:
                grouped[key, time // step * step].append(value)
        parts.append(
            [
                column(key, "f", [(t, sum(v) / len(v), len(v)) for (k, t), v in sorted(grouped.items()) if k == key])
                for key in sorted({key for key, _ in grouped})
            ]
        )
    whole: dict[tuple[SeriesKey, int], list[int]] = defaultdict(list)
    for key, time, value in samples:
        whole[key, time // step * step].append(value)
    found = {
        (key, t): (v, n)
        for (key, _), values in rows(merge_columns(parts, Aggregate.MEAN)).items()
        for t, v, n in values
    }
    assert found.keys() == whole.keys()
    for where, (mean, weight) in found.items():
        assert weight == len(whole[where])
        assert abs(Fraction(mean) - Fraction(sum(whole[where]), len(whole[where]))) < Fraction(1, 10**9)
