"""Steps as one value, by their weights."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.alerts.folding import fold, predicted
from nodetide_core.points import SeriesKey
from nodetide_core.store import Aggregate, Column

_STEPS = st.lists(st.tuples(st.floats(-100, 100), st.integers(1, 9)), min_size=2, max_size=12)


def column(steps, step=60):
    values, weights = zip(*steps, strict=True)
    return Column(SeriesKey("system", ()), "load1", [step * at for at in range(len(steps))], values, weights)


@given(steps=_STEPS, ahead=st.integers(1, 10_000))
def test_a_step_weighs_in_a_line_as_many_as_its_samples(steps, ahead):
    """As if each sample stood at the middle of its step."""
    x = [60 * at + 29.5 for at, (_, n) in enumerate(steps) for _ in range(n)]
    y = [value for value, n in steps for _ in range(n)]
    mx, my = math.fsum(x) / len(x), math.fsum(y) / len(y)
    spread = math.fsum((a - mx) ** 2 for a in x)
    slope = math.fsum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / spread
    expected = my + slope * (ahead - mx)
    assert predicted(column(steps), 60, ahead) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@given(steps=_STEPS)
def test_steps_are_put_together_as_rollups_are(steps):
    values = [value for value, _ in steps]
    weighted = math.fsum(value * n for value, n in steps) / sum(n for _, n in steps)
    for aggregate in (Aggregate.MEAN, Aggregate.RATE):
        assert fold(column(steps), aggregate) == pytest.approx(weighted, rel=1e-9, abs=1e-9)
    assert fold(column(steps), Aggregate.MIN) == min(values)
    assert fold(column(steps), Aggregate.MAX) == max(values)
    assert fold(column(steps), Aggregate.LAST) == values[-1]


def test_nothing_has_no_value():
    nothing = Column(SeriesKey("system", ()), "load1", [], [], [])
    assert fold(nothing, Aggregate.MEAN) is None
    assert predicted(nothing, 60, 100) is None
