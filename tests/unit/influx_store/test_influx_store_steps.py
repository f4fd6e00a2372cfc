"""Steps made here are what the definitions say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.rollup import Sample, counter_windows, gauge_windows, merge_counters, merge_gauges
from nodetide_core.store import Aggregate
from nodetide_core.stores.influx import steps
from nodetide_core.tiers import align_down

_counts = st.dictionaries(st.integers(0, 2_000), st.integers(0, 10**15), min_size=1, max_size=150)
#: As collectors sample: every second or so, now and then with a hole.
_regular = st.builds(
    lambda start, interval, values, holes: {
        start + index * interval: value for index, value in enumerate(values) if index not in holes
    },
    st.integers(0, 40),
    st.integers(1, 7),
    st.lists(st.integers(0, 10**15), min_size=2, max_size=150),
    st.sets(st.integers(1, 150), max_size=2),
)
_values = st.dictionaries(st.integers(0, 2_000), st.floats(-1e6, 1e6), min_size=1, max_size=60)


def table(made: steps.Steps) -> dict[int, tuple[float, float]]:
    t, v, n = made
    assert list(t) == sorted(set(t))
    return {at: (value, weight) for at, value, weight in zip(t, v, n, strict=True)}


@given(_counts | _regular, st.sampled_from([1, 5, 7, 60, 300]), st.integers(1, 400), st.integers(0, 300), st.booleans())
def test_counters_from_samples(samples: dict[int, int], step: int, gap: int, start: int, steady: bool) -> None:
    ordered = sorted(samples.items())
    if steady:
        ordered = list(zip(sorted(samples), sorted(samples.values()), strict=True))
    times, values = zip(*ordered, strict=True)
    # The definition, of one-second windows put together, so that a start inside a step cuts it.
    seconds = counter_windows([Sample(*item) for item in ordered], 1, gap)
    groups: dict[int, list] = {}
    for at, rollup in sorted(seconds.items()):
        if at >= start:
            groups.setdefault(align_down(at, step), []).append(rollup)
    expected = {at: merge_counters(parts) for at, parts in groups.items()}
    counters = steps.CounterSteps(start=start, step=step, gap=gap)
    increase = table(counters.make(times, values, Aggregate.INCREASE))
    assert increase == {at: (w.increase, w.seconds) for at, w in expected.items()}
    last = table(counters.make(times, values, Aggregate.LAST))
    assert last == {at: (w.last, w.seconds) for at, w in expected.items()}
    rate = table(counters.make(times, values, Aggregate.RATE))
    assert rate == {at: (w.increase / w.seconds, w.seconds) for at, w in expected.items() if w.seconds}


@given(_values | _regular, st.sampled_from([2, 5, 9]))
def test_gauges_from_a_few_samples(samples: dict[int, float], step: int) -> None:
    ordered = [Sample(*item) for item in sorted(samples.items())]
    columns = [at for at, _ in ordered], [value for _, value in ordered]
    windows = gauge_windows(ordered, step)
    for aggregate, index in ((Aggregate.MEAN, 0), (Aggregate.MIN, 1), (Aggregate.MAX, 2), (Aggregate.COUNT, 3)):
        found = table(steps.sampled_steps(*columns, step, aggregate))
        assert found == {at: (window[index], window.samples) for at, window in windows.items()}
    last = table(steps.sampled_steps(*columns, step, Aggregate.LAST))
    assert last == {at - at % step: (value, windows[at - at % step].samples) for at, value in ordered}


def test_a_missing_value_is_no_sample() -> None:
    made = steps.CounterSteps(start=0, step=10, gap=60).make((1, 2, 3), (5, None, 9), Aggregate.INCREASE)
    assert table(made) == {0: (4, 2)}
    assert table(steps.gauge_samples((1, 2), (None, 2.0), Aggregate.LAST)) == {2: (2.0, 1)}
    assert table(steps.gauge_steps((0, 10), (None, 2.0), (0, 4))) == {10: (2.0, 4)}


@given(_values, st.sampled_from([60, 120, 300]))
def test_gauges_from_windows(samples: dict[int, float], step: int) -> None:
    windows = sorted(gauge_windows([Sample(*item) for item in sorted(samples.items())], 60).items())
    groups: dict[int, list] = {}
    for at, rollup in windows:
        groups.setdefault(align_down(at, step), []).append(rollup)
    merged = {at: merge_gauges(parts) for at, parts in groups.items()}
    for aggregate, of_window, expected in (
        (Aggregate.MEAN, 0, {at: m.mean for at, m in merged.items()}),
        (Aggregate.MIN, 1, {at: m.min for at, m in merged.items()}),
        (Aggregate.MAX, 2, {at: m.max for at, m in merged.items()}),
        (Aggregate.COUNT, 3, {at: m.samples for at, m in merged.items()}),
        (Aggregate.LAST, 0, {at: parts[-1].mean for at, parts in groups.items()}),
    ):
        times = [at for at, _ in windows]
        values = [rollup[of_window] for _, rollup in windows]
        counts = [rollup.samples for _, rollup in windows]
        found = table(steps.gauge_windows(times, values, counts, window=60, step=step, aggregate=aggregate))
        assert {at: v for at, (v, _) in found.items()} == pytest.approx(expected, rel=1e-12, abs=1e-9)
        assert {at: n for at, (_, n) in found.items()} == {at: m.samples for at, m in merged.items()}


@given(_counts, st.sampled_from([60, 300]))
def test_counters_from_windows(samples: dict[int, int], step: int) -> None:
    windows = counter_windows([Sample(*item) for item in sorted(samples.items())], 60, 90)
    groups: dict[int, list] = {}
    for at, rollup in sorted(windows.items()):
        groups.setdefault(align_down(at, step), []).append(rollup)
    expected = {at: merge_counters(parts) for at, parts in groups.items()}
    rows = sorted(windows.items())
    # InfluxDB has no growth where there was none.
    increases = [rollup.increase if rollup.seconds else None for _, rollup in rows]
    seconds = [rollup.seconds or None for _, rollup in rows]
    times, lasts = [at for at, _ in rows], [rollup.last for _, rollup in rows]
    known = {"window": 60, "step": step}
    for aggregate, pick in ((Aggregate.INCREASE, 1), (Aggregate.LAST, 0)):
        found = table(steps.counter_windows(times, lasts, increases, seconds, aggregate=aggregate, **known))
        assert found == {at: (w[pick], w.seconds) for at, w in expected.items()}
    rates = table(steps.counter_windows(times, lasts, increases, seconds, aggregate=Aggregate.RATE, **known))
    assert rates == {at: (w.increase / w.seconds, w.seconds) for at, w in expected.items() if w.seconds}
