"""What the comparison lets pass, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.influx_compat.judging import disagreements, pair_up
from tests.integration.influx_compat.reading import Held

SECOND = 1_000_000_000
TIMES = range(1_000, 1_012)


def held(values: Mapping[int, Any], *, name: tuple[str, str] = ("mem", "used"), type: str = "integer") -> Held:
    """One series of one field, by seconds."""
    measurement, field = name
    readings = {time * SECOND: value for time, value in values.items()}
    return Held({name: frozenset({type})}, {(measurement, frozenset({("host", "a")})): {field: readings}})


def said(theirs: Held, ours: Held) -> str:
    return "; ".join(disagreements(pair_up(theirs, ours))[0])


def still(time: int) -> float:
    return 4_096.0


def wavering(time: int) -> float:
    return 4_096.0 + time % 3


def growing(time: int) -> float:
    return 1e6 + 10.0 * time


@pytest.mark.parametrize(
    ("name", "signal"), [(("mem", "used"), still), (("mem", "used"), wavering), (("net", "bytes_sent"), growing)]
)
@pytest.mark.parametrize("wrong", [lambda value: value * 1.024, lambda value: value / 1_024, lambda value: value - 60])
def test_another_unit_or_offset_is_found(
    name: tuple[str, str], signal: Callable[[int], float], wrong: Callable[[float], float]
) -> None:
    right = held({time: signal(time) for time in TIMES}, name=name)
    assert said(right, right) == ""
    assert "is not within" in said(held({time: wrong(signal(time)) for time in TIMES}, name=name), right)


def test_one_reading_out_of_place_is_found_in_a_counter() -> None:
    values = {time: growing(time) for time in TIMES}
    ours = held(values, name=("net", "bytes_sent"))
    assert said(held({**values, 1_005: values[1_005] + 30}, name=("net", "bytes_sent")), ours)


def test_what_never_moves_must_be_equal() -> None:
    assert said(held(dict.fromkeys(TIMES, 7)), held(dict.fromkeys(TIMES, 8)))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(st.integers(0, 10**9), min_size=1_300, max_size=1_300),
    late=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=12, max_size=12),
)
def test_reading_late_makes_no_counter_wrong(steps: list[int], late: list[tuple[int, int]]) -> None:
    """Both read the same counter, each up to a second after the time it says."""
    counter = list(accumulate(steps))
    theirs, ours = (
        held({1_000 + n: counter[100 * n + both[side]] for n, both in enumerate(late)}, name=("net", "bytes_sent"))
        for side in (0, 1)
    )
    assert said(theirs, ours) == ""


def test_types_must_be_the_same_and_one() -> None:
    values = dict.fromkeys(TIMES, 7)
    assert "has the types" in said(held(values, type="float"), held(values))
    both = Held({("mem", "used"): frozenset({"float", "integer"})}, held(values).series)
    assert "has the types" in said(both, both)


def test_times_must_meet() -> None:
    assert "no common time" in said(
        held(dict.fromkeys(range(100, 112), 7)), held(dict.fromkeys(range(200, 212), 7))
    )  # fmt: skip


def test_shares_that_move_a_lot_are_bounded_by_their_means() -> None:
    name = "cpu", "usage_user"
    theirs = {time: 100.0 * (time % 2) for time in TIMES}
    assert said(held(theirs, name=name, type="float"), held(theirs, name=name, type="float")) == ""
    half = {time: value / 2 for time, value in theirs.items()}
    assert "means are 50.0 and 25.0" in said(held(theirs, name=name, type="float"), held(half, name=name, type="float"))


def test_only_listed_tags_are_left_out() -> None:
    values = {"used": {SECOND: 1}}
    types = {("disk", "used"): frozenset({"integer"}), ("mem", "used"): frozenset({"integer"})}
    label, other = ("label", "x"), ("colour", "x")
    theirs = Held(types, {("disk", frozenset({label})): values, ("mem", frozenset({label})): values})
    ours = Held(types, {("disk", frozenset()): values, ("mem", frozenset()): values})
    pair = pair_up(theirs, ours)
    assert set(pair.both) == {("disk", frozenset())}
    assert pair.dropped_tags == {("disk", "label")}
    assert (pair.only_theirs, pair.only_ours) == ({("mem", frozenset({label}))}, {("mem", frozenset())})
    assert pair_up(Held(types, {("disk", frozenset({other})): values}), ours).only_theirs


def test_a_field_that_some_series_lack_is_a_gap() -> None:
    types = {("disk", "used"): frozenset({"integer"}), ("disk", "free"): frozenset({"integer"})}
    readings = {SECOND: 1}
    first, second = (frozenset({("path", path)}) for path in "ab")
    theirs = Held(types, {("disk", tags): {"used": readings, "free": readings} for tags in (first, second)})
    ours = Held(types, {**theirs.series, ("disk", second): {"used": readings}})
    pair = pair_up(theirs, ours)
    assert pair.fields_only() == (set(), set())
    assert pair.gaps() == ({("disk", "free")}, set())
