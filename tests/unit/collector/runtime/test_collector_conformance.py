from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodetide_collector.conformance import conform, conforming
from nodetide_collector.probe import Reading, Sample
from nodetide_core.catalogue import CATALOGUE, Type
from nodetide_core.lineprotocol import encode
from nodetide_core.points import Point

EXPECTED = {Type.FLOAT: float, Type.INT: int, Type.STRING: str}
ANYTHING = st.one_of(st.integers(), st.floats(), st.text(), st.booleans(), st.none(), st.binary(max_size=3))
MEASUREMENTS = st.sampled_from(list(CATALOGUE))


@settings(deadline=None)
@given(st.data())
def test_only_known_fields_of_the_right_type_leave_and_the_rest_is_counted(data: st.DataObject) -> None:
    measurement = data.draw(MEASUREMENTS)
    names = st.one_of(st.sampled_from([f.name for f in measurement.fields]), st.text(max_size=4))
    fields: Any = data.draw(st.dictionaries(names, ANYTHING, max_size=6))
    problems: Counter[str] = Counter()
    kept = conform(measurement.name, dict(fields), problems)
    for name, value in kept.items():
        field = measurement.by_name[name]
        assert type(value) is EXPECTED[field.type]
        # A float holds whole numbers up to 2**53 exactly, and the nearest one beyond.
        assert value == (float(fields[name]) if isinstance(value, float) else fields[name])
        if isinstance(value, float):
            assert math.isfinite(value)
    assert len(kept) + problems.total() == len(fields)
    line = encode([Point(measurement.name, (), kept, 1)])
    assert bool(line) == bool(kept)


def test_right_fields_are_handed_through_as_they_are() -> None:
    fields: Any = {"total": 1, "used_percent": 2.5}
    problems: Counter[str] = Counter()
    assert conform("mem", fields, problems) is fields
    assert not problems


@pytest.mark.parametrize(
    ("measurement", "fields", "reason"),
    [
        ("mem", {"total": 1.0}, "field of the wrong type"),
        ("mem", {"total": True}, "field of the wrong type"),
        ("mem", {"nonsense": 1}, "field not in the catalogue"),
        ("nonsense", {"total": 1}, "measurement not in the catalogue"),
        ("mem", {"used_percent": math.nan}, "value not finite"),
        ("mem", {"used_percent": math.inf}, "value not finite"),
        ("mem", {"used_percent": 10**400}, "value not finite"),
        ("mem", {"total": 2**63}, "value beyond 64 bits"),
        ("collector", {"policy_hash": "\ud800"}, "value not Unicode"),
    ],
)
def test_reasons(measurement: str, fields: Any, reason: str) -> None:
    problems: Counter[str] = Counter()
    assert conform(measurement, fields, problems) == {}
    assert problems == {reason: 1}


def test_a_whole_number_of_a_float_field_becomes_a_float() -> None:
    kept = conform("mem", {"used_percent": 3}, Counter())
    assert type(kept["used_percent"]) is float


def test_a_reading_loses_what_may_not_leave_and_says_so() -> None:
    reading = Reading(
        [Sample("mem", (), {"total": 1, "bad": 2}), Sample("mem", (), {"bad": 2}), Sample("swap", (), {"total": 5})]
    )
    assert conforming(reading).samples == [Sample("mem", (), {"total": 1}), Sample("swap", (), {"total": 5})]
    assert reading.skipped == {"field not in the catalogue": 2}
