"""Points to lines and back, through our parser and through `line_protocol_parser`, which is not ours."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from line_protocol_parser import LineFormatError
from line_protocol_parser import parse_line as their_parse_line

from nodetide_core.catalogue import CATALOGUE, Type
from nodetide_core.lineprotocol import Encoder, encode, parse
from nodetide_core.points import Point, Value, make_tags, writable

NASTY = st.text(alphabet="ab\\ ,=\"'\n\r\t\x00\x7f\ud800é日\U0001f600\u2028#%{}", max_size=8)
TEXT = NASTY | st.text(st.characters(), max_size=12)
INTS = st.integers(-(2**63), 2**63 - 1) | st.integers() | st.sampled_from([-(2**63), 2**63 - 1, 2**63, -(2**63) - 1])
FLOATS = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324, sys.float_info.max])
VALUES = st.booleans() | INTS | FLOATS | TEXT
# A "#" would begin a comment; measurements are names of the catalogue in earnest.
MEASUREMENTS = TEXT.filter(lambda text: text != "" and not text.startswith("#"))
TIMES = st.integers(-9_223_372_036, 9_223_372_036)

unknown_points = st.builds(
    lambda measurement, tags, fields, time: Point(measurement, make_tags(tags), fields, time),
    MEASUREMENTS.filter(lambda text: text not in CATALOGUE),
    st.dictionaries(TEXT, TEXT, max_size=4),
    # Two names that are written alike would be one field given twice, of which parsers take either.
    st.lists(st.tuples(TEXT.filter(bool), VALUES), max_size=5, unique_by=lambda item: writable(item[0])).map(dict),
    TIMES,
)
known_points = st.sampled_from(list(CATALOGUE)).flatmap(
    lambda measurement: st.builds(
        lambda tags, fields, time: Point(measurement.name, make_tags(tags), fields, time),
        st.fixed_dictionaries({}, optional={tag.name: TEXT for tag in measurement.tags} | {"host": TEXT}),
        st.fixed_dictionaries({}, optional={field.name: VALUES for field in measurement.fields}),
        TIMES,
    )
)
points = unknown_points | known_points


def expected_value(measurement: str, name: str, value: Value) -> Value | None:
    """What a reader sees of one field, by the documented rules; None where it is left out."""
    field = CATALOGUE.field(measurement, name)
    kind = field.type.value if field else {bool: "boolean", int: "integer", float: "float", str: "string"}[type(value)]
    if kind == "string":
        return str(value).encode("utf-8", "replace").decode()
    if kind == "boolean":
        return value
    if isinstance(value, str) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if kind == "integer":
        whole = math.trunc(value)
        return whole if -(2**63) <= whole < 2**63 else None
    return float(value) if abs(value) <= sys.float_info.max else None


def expected(point: Point) -> Point | None:
    fields: dict[str, Value] = {}
    for name, value in point.fields.items():
        seen = expected_value(point.measurement, name, value)
        if seen is not None:
            fields[writable(name)] = seen
    return Point(writable(point.measurement), point.tags, fields, point.time) if fields else None


def exact(fields: Any) -> dict[str, tuple[type, str]]:
    """Values with their types, and -0.0 apart from 0.0."""
    return {name: (type(value), repr(value)) for name, value in fields.items()}


def assert_same(found: Point, wanted: Point) -> None:
    assert found[:2] == wanted[:2]
    assert found.time == wanted.time
    assert exact(found.fields) == exact(wanted.fields)


@given(points)
@settings(max_examples=400)
@example(Point("m", (), {"s": 'a\\"\n'}, 0))
@example(Point("m", make_tags({"t": "\\\n"}), {"f": -0.0}, -1))
def test_our_parser_reads_what_the_encoder_writes(point: Point):
    wanted = expected(point)
    found = list(parse(encode([point]).decode()))
    assert len(found) == (wanted is not None)
    for one in found:
        assert wanted is not None
        assert_same(one, wanted)


@given(st.lists(points, max_size=6))
def test_many_points_come_back_in_their_order(many: list[Point]):
    wanted = [one for one in map(expected, many) if one is not None]
    found = list(parse(Encoder().encode(many).decode()))
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert_same(one, other)


@given(points, st.sampled_from(["\n", "\r\n", "\n\n# it's \"a comment\n"]))
def test_line_ends_and_comments_between_lines_do_not_matter(point: Point, end: str):
    line = Encoder().line(point)
    if line is not None:
        assert len(list(parse(line + end + line))) == 2


@given(points)
def test_no_value_that_is_not_finite_leaves(point: Point):
    for one in parse(encode([point]).decode()):
        assert all(not isinstance(value, float) or math.isfinite(value) for value in one.fields.values())


def theirs(line: str) -> dict[str, Any]:
    return their_parse_line(line)  # type: ignore[no-any-return]


def beyond_theirs(point: Point) -> bool:
    """What line_protocol_parser 2.0.1 cannot read though InfluxDB can; each has its own test below."""
    return any(
        (isinstance(value, str) and "\0" in value) or (isinstance(value, float) and 0 < abs(value) < sys.float_info.min)
        for value in point.fields.values()
    )


@given(points)
@settings(max_examples=400)
def test_a_parser_not_ours_reads_what_the_encoder_writes(point: Point):
    wanted, line = expected(point), Encoder().line(point)
    if wanted is None or line is None:
        assert wanted is None and line is None
    elif beyond_theirs(wanted):
        with pytest.raises(LineFormatError):
            theirs(line)
    else:
        found = theirs(line)
        assert_same(
            Point(found["measurement"], tuple(sorted(found["tags"].items())), found["fields"], found["time"]), wanted
        )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("m f=5e-324 1", "field value"),
        ("m f=2.2250738585072e-308 1", "field value"),
        ('m f="\0" 1', "NUL"),
        ("m f=1 9223372036854775807", "timestamp"),
    ],
)
def test_the_limits_of_the_parser_not_ours(line: str, message: str):
    """Subnormal floats, NUL and the last 64-bit time: its limits, not the protocol's."""
    with pytest.raises(LineFormatError, match=message):
        theirs(line)


@given(known_points)
def test_catalogue_fields_come_back_in_the_catalogues_types(point: Point):
    python = {Type.FLOAT: float, Type.INT: int, Type.STRING: str}
    for one in parse(encode([point]).decode()):
        for name, value in one.fields.items():
            field = CATALOGUE.field(one.measurement, name)
            assert field is not None
            assert type(value) is python[field.type]
