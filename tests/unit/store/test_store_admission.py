"""What a store takes: whole points of the catalogue's types, or a counted reason."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.points import Point
from nodetide_core.stores.admission import FUTURE, Refused, admit, refuse_time


def fields(measurement, **given):
    return admit(Point(measurement, (), given, 0), CATALOGUE)


def test_values_get_the_type_of_the_catalogue():
    found = fields("system", load1=1, n_users=3.0, uptime=True)
    assert found == {"load1": 1.0, "n_users": 3, "uptime": 1}
    assert [type(value) for value in found.values()] == [float, int, int]
    assert fields("collector", policy_hash="ü\n") == {"policy_hash": "ü\n"}


@pytest.mark.parametrize(
    ("measurement", "given", "reason"),
    [
        ("nothing", {"a": 1}, "unknown measurement"),
        ("system", {}, "no fields"),
        ("system", {"load1": 1.0, "load2": 1.0}, "system: unknown field"),
        ("system", {"load1": "1"}, "system.load1: not a finite number"),
        ("system", {"load1": math.nan}, "system.load1: not a finite number"),
        ("system", {"load1": -math.inf}, "system.load1: not a finite number"),
        ("system", {"load1": 1e301}, "system.load1: not a finite number"),
        ("system", {"load1": 10**400}, "system.load1: not a finite number"),
        ("system", {"uptime": 1.5}, "system.uptime: not a whole number of 64 bits"),
        ("system", {"uptime": math.nan}, "system.uptime: not a whole number of 64 bits"),
        ("system", {"uptime": 2**63}, "system.uptime: not a whole number of 64 bits"),
        ("system", {"uptime": 2.0**63}, "system.uptime: not a whole number of 64 bits"),
        ("collector", {"policy_hash": 1}, "collector.policy_hash: not text"),
        ("collector", {"policy_hash": "\ud800"}, "collector.policy_hash: not text"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(measurement, given, reason):
    with pytest.raises(Refused) as refused:
        fields(measurement, **given)
    assert str(refused.value) == reason


@given(st.dictionaries(st.text(), st.none() | st.floats() | st.integers() | st.text() | st.booleans()), st.text())
def test_reasons_are_few(given, measurement):
    """Whatever comes, it counts under a reason made of the catalogue's names alone."""
    reasons = Counter()
    for name in (measurement, "system"):
        for field in (*given, "load1"):
            value = given.get(field, next(iter(given.values()), 1.0))
            if value is None:
                continue
            try:
                admit(Point(name, (), {field: value}, 0), CATALOGUE)
            except Refused as refused:
                reasons[str(refused)] += 1
    assert set(reasons) <= {"unknown measurement", "system: unknown field", "system.load1: not a finite number"}


def test_times_are_bounded_on_both_sides():
    now, oldest = 10_000, 8_000
    assert refuse_time(oldest - 1, now, oldest) == "older than what can still be rolled up"
    assert refuse_time(now + FUTURE + 1, now, oldest) == "more than an hour in the future"
    assert refuse_time(oldest, now, oldest) is None
    assert refuse_time(now + FUTURE, now, oldest) is None
