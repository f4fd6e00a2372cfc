"""Rollups against a recomputation that shares nothing with them: exact fractions, sample by sample."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.rollup import (
    CounterRollup,
    GaugeRollup,
    Sample,
    counter_windows,
    gauge_windows,
    merge_counters,
    merge_gauges,
)

WINDOW, GAP = 60, 30
FLOATS = st.floats(-1e9, 1e9, allow_nan=False)


def series(values: st.SearchStrategy[float]) -> st.SearchStrategy[list[Sample]]:
    """Samples in time order, mostly a few seconds apart and now and then with a hole."""
    steps = st.integers(1, 5) | st.integers(GAP - 1, GAP + 1) | st.integers(1, 500)
    return st.builds(
        lambda start, pairs: [
            Sample(start + sum(step for step, _ in pairs[: index + 1]), value) for index, (_, value) in enumerate(pairs)
        ],
        st.integers(-1000, 10**9),
        st.lists(st.tuples(steps, values), max_size=40),
    )


# Whole numbers as counters have them, so small that floats add them exactly; with resets.
counters = series(st.integers(0, 2**40) | st.integers(0, 5))
gauges = series(FLOATS)


def near(found: float, exact: Fraction, scale: Fraction) -> bool:
    """Within the error of adding floats, relative to the size of what was added."""
    return abs(Fraction(found) - exact) <= scale * Fraction(1, 2**48)


def inside(samples: list[Sample], start: int, window: int) -> list[int]:
    return [index for index, sample in enumerate(samples) if start <= sample.time < start + window]


@given(gauges, st.sampled_from([1, 7, 60, 3600]))
def test_gauges_are_mean_least_greatest_and_number(samples: list[Sample], window: int):
    found = gauge_windows(samples, window)
    assert list(found) == sorted({(sample.time // window) * window for sample in samples})
    for start, rollup in found.items():
        values = [Fraction(samples[index].value) for index in inside(samples, start, window)]
        assert rollup.samples == len(values)
        assert (rollup.min, rollup.max) == (min(values), max(values))
        assert near(rollup.mean, sum(values) / len(values), max(map(abs, values)))


@given(counters, st.sampled_from([1, 7, 60, 3600]), st.sampled_from([1, 5, GAP]))
def test_counters_are_last_increase_and_the_seconds_it_took(samples: list[Sample], window: int, gap: int):
    found = counter_windows(samples, window, gap)
    assert list(found) == sorted({(sample.time // window) * window for sample in samples})
    for start, rollup in found.items():
        indices = inside(samples, start, window)
        increase, seconds = Fraction(0), 0
        for index in indices:
            if index == 0:
                continue
            before, now = samples[index - 1], samples[index]
            if now.time - before.time > gap:
                continue
            grown = Fraction(now.value) - Fraction(before.value)
            increase += grown if grown >= 0 else Fraction(now.value)
            seconds += now.time - before.time
        assert rollup == CounterRollup(samples[indices[-1]].value, increase, seconds)
        assert rollup.increase >= 0


@given(gauges)
def test_wider_gauges_are_made_of_narrower_ones(samples: list[Sample]):
    narrow, wide = gauge_windows(samples, WINDOW), gauge_windows(samples, WINDOW * 10)
    for start, rollup in wide.items():
        parts = [narrow[at] for at in narrow if start <= at < start + WINDOW * 10]
        merged = merge_gauges(parts)
        assert merged[1:] == rollup[1:]
        scale = max(abs(Fraction(rollup.min)), abs(Fraction(rollup.max)))
        assert near(merged.mean, Fraction(rollup.mean), 4 * scale)


@given(counters)
def test_wider_counters_are_made_of_narrower_ones(samples: list[Sample]):
    narrow, wide = counter_windows(samples, WINDOW, GAP), counter_windows(samples, WINDOW * 10, GAP)
    for start, rollup in wide.items():
        assert merge_counters(narrow[at] for at in narrow if start <= at < start + WINDOW * 10) == rollup


@given(counters)
def test_rollups_of_single_seconds_are_what_samples_say(samples: list[Sample]):
    assert {at: rollup.last for at, rollup in counter_windows(samples, 1, GAP).items()} == dict(samples)
    assert gauge_windows(samples, 1) == {at: GaugeRollup(value, value, value, 1) for at, value in samples}


@given(counters, st.integers(0, 40))
def test_the_samples_of_one_gap_before_are_all_a_window_needs(samples: list[Sample], first: int):
    """What a store does that rolls up one window again: it reads from one gap before."""
    whole = counter_windows(samples, WINDOW, GAP)
    for start in list(whole)[first : first + 1]:
        part = [sample for sample in samples if start - GAP <= sample.time < start + WINDOW]
        assert counter_windows(part, WINDOW, GAP)[start] == whole[start]


_gauge_parts = st.lists(st.builds(GaugeRollup, FLOATS, FLOATS, FLOATS, st.integers(1, 10**6)), min_size=1, max_size=9)
_counter_parts = st.lists(
    st.builds(CounterRollup, st.integers(0, 2**40), st.integers(0, 2**40), st.integers(0, 10**6)),
    min_size=1,
    max_size=9,
)


@given(_gauge_parts, st.data())
def test_gauges_merge_in_any_grouping(parts: list[GaugeRollup], data: st.DataObject):
    cut = data.draw(st.integers(1, len(parts)))
    grouped = merge_gauges([merge_gauges(parts[:cut]), *([merge_gauges(parts[cut:])] if parts[cut:] else [])])
    whole = merge_gauges(parts)
    assert grouped[1:] == whole[1:]
    exact = sum(Fraction(part.mean) * part.samples for part in parts) / sum(part.samples for part in parts)
    scale = max(abs(Fraction(part.mean)) for part in parts)
    assert near(whole.mean, exact, 4 * scale)
    assert near(grouped.mean, exact, 4 * scale)


@given(_counter_parts, st.data())
def test_counters_merge_in_any_grouping(parts: list[CounterRollup], data: st.DataObject):
    cut = data.draw(st.integers(1, len(parts)))
    grouped = merge_counters([merge_counters(parts[:cut]), *([merge_counters(parts[cut:])] if parts[cut:] else [])])
    assert grouped == merge_counters(parts)
    assert grouped == (parts[-1].last, sum(p.increase for p in parts), sum(p.seconds for p in parts))


@given(_counter_parts)
def test_one_part_alone_stays_as_it_is(parts: list[CounterRollup]):
    assert merge_counters(parts[:1]) == parts[0]
    # Weighted by its count and divided by it again, a mean may move by its last bit.
    one = GaugeRollup(0.5, 0.25, 1.0, 3)
    assert merge_gauges([one]) == one


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([], {}),
        # A first sample shows nothing of growth.
        ([(0, 100)], {0: (100, 0, 0)}),
        # A step counts in the window of the later sample.
        ([(50, 100), (70, 130)], {0: (100, 0, 0), 60: (130, 30, 20)}),
        # As far apart as the gap still counts; one second more does not.
        ([(0, 100), (30, 110)], {0: (110, 10, 30)}),
        ([(0, 100), (31, 110)], {0: (110, 0, 0)}),
        # After a hole counting goes on from the sample behind it.
        ([(0, 100), (31, 110), (32, 115)], {0: (115, 5, 1)}),
        # A lower value is a reset, and what it shows has grown from 0.
        ([(0, 100), (10, 7), (20, 9)], {0: (9, 9, 20)}),
        ([(0, 100), (10, 0), (20, 0)], {0: (0, 0, 20)}),
        # A reset within a hole is not even seen.
        ([(0, 100), (50, 7)], {0: (7, 0, 0)}),
        # Standing still is growth of 0 over time that was observed.
        ([(0, 5), (10, 5)], {0: (5, 0, 10)}),
        # Windows before 1970 are aligned the same way.
        ([(-70, 1), (-50, 4)], {-120: (1, 0, 0), -60: (4, 3, 20)}),
    ],
)
def test_counters_by_example(samples: list[tuple[int, float]], expected: dict[int, tuple[float, float, int]]):
    assert counter_windows([Sample(*sample) for sample in samples], WINDOW, GAP) == expected
