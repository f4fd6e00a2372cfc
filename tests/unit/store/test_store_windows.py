"""Columns make the same windows and steps as the definitions do."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.rollup import Sample, counter_windows, gauge_windows
from nodetide_core.store import Aggregate
from nodetide_core.stores.embedded.pieces import cut, overlay
from nodetide_core.stores.embedded.steps import counter_steps, gauge_steps
from nodetide_core.stores.embedded.windows import counters, gauges
from nodetide_core.tiers import align_down

_gauges = st.dictionaries(st.integers(0, 500), st.floats(-1e6, 1e6), min_size=1)
_ints = st.dictionaries(st.integers(0, 500), st.integers(0, 2**62), min_size=1)
_counts = _ints | st.dictionaries(st.integers(0, 500), st.floats(0, 1e9), min_size=1)
_steady = st.builds(
    lambda start, step, count, rate: {start + step * at: rate * at for at in range(count)},
    st.integers(0, 100), st.integers(1, 40), st.integers(1, 60), st.integers(0, 9) | st.floats(0, 9),
)  # fmt: skip
_gaps = st.integers(1, 60)
_widths = st.integers(1, 120)


def pieces(samples, cuts):
    """The samples in pieces, evenly spaced ones as ranges."""
    times = sorted(samples)
    borders = [0, *sorted({at % (len(times) + 1) for at in cuts}), len(times)]
    for low, high in pairwise(borders):
        part = times[low:high]
        if not part:
            continue
        even = range(part[0], part[-1] + 1, part[1] - part[0] if len(part) > 1 else 1)
        yield (even if list(even) == part else part), [samples[time] for time in part]


_cuts = st.lists(st.integers(0, 500), max_size=5)


@given(_gauges | _steady, _widths, _cuts)
def test_gauges(samples, width, cuts):
    expected = gauge_windows([Sample(*item) for item in sorted(samples.items())], width)
    assert dict(gauges(pieces(samples, cuts), width)) == expected


@given(_counts | _steady, _widths, _gaps, _cuts)
def test_counters(samples, width, gap, cuts):
    expected = counter_windows([Sample(*item) for item in sorted(samples.items())], width, gap)
    assert dict(counters(pieces(samples, cuts), width, gap)) == expected


@given(_counts | _steady, _widths, _gaps, _cuts, st.integers(0, 300))
def test_steps_of_a_counter_from_some_time_on(samples, width, gap, cuts, start):
    """Each sample from ``start`` on counts with its step, whatever came before."""
    alone = counter_windows([Sample(*item) for item in sorted(samples.items())], 1, gap)
    increases, seconds, lasts = {}, {}, {}
    for time, made in alone.items():
        if time >= start:
            step = align_down(time, width)
            increases[step] = increases.get(step, 0) + made.increase
            seconds[step] = seconds.get(step, 0) + made.seconds
            lasts[step] = made.last
    t, v, n = counter_steps(pieces(samples, cuts), start, width, gap, Aggregate.INCREASE)
    assert (dict(zip(t, v, strict=True)), dict(zip(t, n, strict=True))) == (increases, seconds)
    t, v, n = counter_steps(pieces(samples, cuts), start, width, gap, Aggregate.RATE)
    assert dict(zip(t, v, strict=True)) == {at: increases[at] / seconds[at] for at in increases if seconds[at]}
    assert dict(zip(t, n, strict=True)) == {at: width for at, width in seconds.items() if width}
    t, v, n = counter_steps(pieces(samples, cuts), start, width, gap, Aggregate.LAST)
    assert (dict(zip(t, v, strict=True)), dict(zip(t, n, strict=True))) == (lasts, seconds)


@given(_gauges, _widths, _cuts)
def test_steps_of_a_gauge(samples, width, cuts):
    expected = gauge_windows([Sample(*item) for item in sorted(samples.items())], width)
    for at, aggregate in enumerate((Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.COUNT)):
        t, v, n = gauge_steps(pieces(samples, cuts), width, aggregate)
        assert dict(zip(t, v, strict=True)) == {start: made[at] for start, made in expected.items()}
        assert n == [made.samples for made in expected.values()]
    t, v, _ = gauge_steps(pieces(samples, cuts), width, Aggregate.LAST)
    assert dict(zip(t, v, strict=True)) == {align_down(at, width): samples[at] for at in sorted(samples)}


@given(_gauges, st.integers(0, 500), st.integers(0, 500))
def test_a_piece_is_cut_to_a_range(samples, start, stop):
    times, values = cut((sorted(samples), [samples[at] for at in sorted(samples)]), start, stop)
    assert dict(zip(times, values, strict=True)) == {at: v for at, v in samples.items() if start <= at < stop}


@given(_gauges, _gauges)
def test_what_lies_above_counts(below, above):
    (piece,), (over,) = pieces(below, []), pieces(above, [])
    times, values = overlay(piece, over)
    assert list(times) == sorted(times)
    assert dict(zip(times, values, strict=True)) == {**below, **above}
