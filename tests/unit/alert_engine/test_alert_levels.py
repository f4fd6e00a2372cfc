"""Levels: bounds, recovery, and who speaks for a group."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.alerts.levels import holding, levels_of, reaching, worst
from nodetide_core.policy import parse_policy
from nodetide_core.policy.spec import Level


@pytest.mark.parametrize(
    ("level", "reached", "not_reached"),
    [
        (Level("above", (95,)), [95.1, 200], [95, 94.9]),
        (Level("below", (5.0,)), [4.9, -7], [5, 5.1]),
        (Level("outside", (10, 20)), [9.9, 20.1], [10, 15, 20]),
        (Level("inside", (10, 20)), [10, 15.5, 20], [9.9, 20.1]),
        (Level("inside", (0, 0)), [0], [-0.1, 0.1]),
    ],
)
def test_a_level_is_reached_past_its_bounds(level, reached, not_reached):
    for test in (reaching(level), holding(level)):
        assert all(map(test, reached))
        assert not any(map(test, not_reached))


@pytest.mark.parametrize(
    ("level", "holds", "left"),
    [
        (Level("above", (95,), (85,)), [96, 90, 85], [84.9]),
        (Level("below", (5,), (10,)), [4, 7, 10], [10.1]),
        (Level("above", (95,), (95,)), [95], [94.9]),
    ],
)
def test_it_holds_until_the_value_is_past_recover(level, holds, left):
    assert all(map(holding(level), holds))
    assert not any(map(holding(level), left))


_LEVELS = st.builds(
    lambda relation, bounds: Level(relation, tuple(sorted(bounds))[: 1 if relation in ("above", "below") else 2]),
    st.sampled_from(["above", "below", "outside", "inside"]),
    st.tuples(st.integers(-5, 5), st.integers(-5, 5)),
)


@given(level=_LEVELS, values=st.lists(st.integers(-9, 9), min_size=1))
def test_the_worst_reaches_the_level_if_any_does(level, values):
    speaker = worst(level, values)
    assert speaker in values
    assert reaching(level)(speaker) == any(map(reaching(level), values))


def test_the_largest_speaks_for_above_and_the_smallest_for_below():
    assert worst(Level("above", (50,)), [1, 3, 2]) == 3
    assert worst(Level("below", (50,)), [1, 3, 2]) == 1
    assert worst(Level("outside", (10, 20)), [12, 31, 2]) == 31
    assert worst(Level("outside", (10, 20)), [12, 21, 2]) == 2
    assert worst(Level("inside", (10, 20)), [9, 11, 14]) == 14


def test_a_deadman_is_reached_past_its_window_and_critical_if_it_says_nothing():
    document = {
        "apiVersion": "nodetide.io/v1alpha1",
        "kind": "MetricPolicy",
        "metadata": {"name": "p"},
        "spec": {
            "alerts": [
                {"name": "a", "type": "deadman", "metric": "cpu", "window": "2m"},
                {"name": "b", "type": "deadman", "metric": "cpu", "warning": {}, "info": None},
            ]
        },
    }
    first, second = parse_policy(document).alerts
    assert levels_of(first) == {"critical": Level("above", (120,))}
    assert levels_of(second) == {"warning": Level("above", (60,)), "info": Level("above", (60,))}
