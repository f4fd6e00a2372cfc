from __future__ import annotations

import enum
import gc
import math
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from influxdb_client import Point as TheirPoint
from influxdb_client import WritePrecision

from nodetide_core.catalogue import CATALOGUE, Catalogue, Field, Kind, Measurement, Type, Unit
from nodetide_core.lineprotocol import Encoder, encode
from nodetide_core.points import Point, make_tags

CUSTOM = Catalogue(
    [
        Measurement(
            "m",
            "Made for tests.",
            (
                Field("f", Type.FLOAT, Unit.NONE, Kind.GAUGE, "A float."),
                Field("i", Type.INT, Unit.NONE, Kind.GAUGE, "An integer."),
                Field("s", Type.STRING, Unit.NONE, Kind.INFO, "Text."),
            ),
        )
    ]
)


class IntMember(int, enum.Enum):
    ONE = 1


class FloatWithItsOwnRepr(float):
    """As numpy's float64, whose repr is no number."""

    def __repr__(self) -> str:
        return f"FloatWithItsOwnRepr({float(self)!r})"


def written(name: str, value: Any) -> str | None:
    """The value on the wire, as the encoder that knows CUSTOM writes it."""
    line = Encoder(catalogue=CUSTOM).line(Point("m", (), {name: value}, 7))
    if line is None:
        return None
    head, _, time = line.rpartition(" ")
    assert time == "7"
    return head.removeprefix(f"m {name}=")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        # A float field takes everything that is a number.
        ("f", 1.5, "1.5"),
        ("f", 3, "3.0"),
        ("f", True, "1.0"),
        ("f", -0.0, "-0.0"),
        ("f", 5e-324, "5e-324"),
        ("f", 1.7976931348623157e308, "1.7976931348623157e+308"),
        ("f", 2**63, "9.223372036854776e+18"),
        ("f", FloatWithItsOwnRepr(1.5), "1.5"),
        ("f", IntMember.ONE, "1.0"),
        ("f", math.nan, None),
        ("f", math.inf, None),
        ("f", -math.inf, None),
        ("f", 10**400, None),
        ("f", "1.5", None),
        # An integer field cuts fractions off, and knows its bounds.
        ("i", 3, "3i"),
        ("i", 3.99, "3i"),
        ("i", -3.99, "-3i"),
        ("i", True, "1i"),
        ("i", False, "0i"),
        ("i", IntMember.ONE, "1i"),
        ("i", FloatWithItsOwnRepr(2.0), "2i"),
        ("i", 2**63 - 1, "9223372036854775807i"),
        ("i", -(2**63), "-9223372036854775808i"),
        ("i", 2**63, None),
        ("i", -(2**63) - 1, None),
        ("i", 1e300, None),
        ("i", math.nan, None),
        ("i", math.inf, None),
        ("i", "3", None),
        # Text takes everything.
        ("s", "abc", '"abc"'),
        ("s", "", '""'),
        ("s", 'a"b\\c', '"a\\"b\\\\c"'),
        ("s", "a\nb", '"a\nb"'),
        ("s", "\ud800x", '"?x"'),
        ("s", 5, '"5"'),
        ("s", True, '"True"'),
        # What the catalogue does not know keeps its Python type.
        ("u", True, "true"),
        ("u", False, "false"),
        ("u", 3, "3i"),
        ("u", IntMember.ONE, "1i"),
        ("u", 2**63 - 1, "9223372036854775807i"),
        ("u", 2**63, None),
        ("u", 3.0, "3.0"),
        ("u", FloatWithItsOwnRepr(1.5), "1.5"),
        ("u", math.nan, None),
        ("u", -math.inf, None),
        ("u", "x", '"x"'),
        ("u", "\ud800", '"?"'),
    ],
)
def test_values_on_the_wire(name: str, value: Any, expected: str | None):
    assert written(name, value) == expected


def test_every_catalogue_field_keeps_its_type_whatever_it_is_given():
    encoder = Encoder()
    for measurement in CATALOGUE:
        for field in measurement.fields:
            endings = {Type.FLOAT: (".0",), Type.INT: ("i",), Type.STRING: ('"',)}[field.type]
            for value in (1, 1.0, True):
                line = encoder.line(Point(measurement.name, (), {field.name: value}, 1))
                assert line is not None
                assert line.removesuffix(" 1").endswith(endings), line


def test_a_field_left_out_leaves_the_others():
    point = Point("m", (), {"f": math.nan, "i": 1, "u": math.inf}, 7)
    assert Encoder(catalogue=CUSTOM).line(point) == "m i=1i 7"


def test_a_point_without_fields_is_left_out():
    points = [Point("m", (), {}, 1), Point("m", (), {"f": math.nan}, 2), Point("m", (), {"f": 1.0}, 3)]
    assert Encoder(catalogue=CUSTOM).lines(points) == ["m f=1.0 3"]
    assert encode(points[:2]) == b""
    assert encode([]) == b""


def test_lines_end_with_a_newline_in_utf8():
    assert encode([Point("m", make_tags({"t": "é"}), {"x": 1}, 1)] * 2) == "m,t=é x=1i 1\nm,t=é x=1i 1\n".encode()


def test_names_and_tags_are_escaped():
    point = Point("a b,c=d", make_tags({"k 1,=": "v 1,=", 'q"': 'x"y'}), {"f 1,=": 1}, 1)
    assert Encoder().line(point) == 'a\\ b\\,c=d,k\\ 1\\,\\==v\\ 1\\,\\=,q"=x"y f\\ 1\\,\\==1i 1'


@pytest.mark.parametrize("bad", ["x\nevil f=1", "x\r", "x\\", "x\\,", "\ud800", "x\x00"])
def test_nothing_can_end_a_line_early_even_past_make_tags(bad: str):
    line = Encoder(extra=((bad, bad),)).line(Point(bad, (("t" + bad, bad),), {bad: 1}, 1))
    assert line is not None
    line.encode()
    assert not any(ord(char) < 32 for char in line)


def test_a_points_own_tags_win_over_the_extra_ones():
    encoder = Encoder(extra=(("env", "prod"), ("host", "extra")))
    assert encoder.line(Point("m", (("host", "own"), ("z", "1")), {"x": 1}, 1)) == "m,env=prod,host=own,z=1 x=1i 1"


def _values(rounds: int) -> Iterator[dict[str, Any]]:
    """Fields of one series over time: mostly alike, then with every change of shape there is."""
    strange: list[dict[str, Any]] = [
        {"f": math.nan, "i": 1},
        {"f": math.inf, "i": 1},
        {"f": 1, "i": 1},
        {"f": 1.0, "i": 2**63},
        {"f": 1.0, "i": 1.5},
        {"f": 1.0, "i": True},
        {"i": 1, "f": 1.0},
        {"f": 1.0},
        {"f": 1.0, "i": 1, "s": "x"},
        {"f": 1.0, "i": 1, "%d": 5},
        {"%s": 5, "% ": 1.5},
        {"f": math.inf, "u": -math.inf},
        {"u": 2**63, "v": math.nan},
        {"v": math.nan, "u": 2**63},
        {},
    ]
    for n in range(rounds):
        yield {"f": n / 7, "i": n}
        yield {"f": n / 3, "i": -n}
        yield strange[n % len(strange)]
        yield strange[n % len(strange)]


def test_what_an_encoder_remembers_never_changes_a_line():
    """Whatever came before, and however often, a line is what a fresh encoder writes."""
    kept = Encoder((("x", "100%d"),), catalogue=CUSTOM, cache=3)
    tags = [make_tags({"t": f"{n}%s"}) for n in range(4)]
    for n, fields in enumerate(_values(40)):
        for own in (tags[0], tags[n % 4], make_tags({"t": f"{n % 4}%s"})):
            for measurement in ("m", "unknown%"):
                point = Point(measurement, own, fields, n)
                assert kept.line(point) == Encoder((("x", "100%d"),), catalogue=CUSTOM).line(point)


@pytest.mark.parametrize("fresh_tuples", [False, True])
def test_what_an_encoder_remembers_is_bounded(fresh_tuples: bool):
    """Series that come once, and series whose tags are a new tuple every time."""
    encoder = Encoder(cache=50)
    sizes = []
    for n in range(2_000):
        encoder.line(Point("m", make_tags({"t": "same" if fresh_tuples else str(n)}), {"x": n}, n))
        sizes.append(_memory(encoder))
    assert max(sizes[1_000:]) <= max(sizes[:1_000])


def _memory(encoder: Encoder) -> int:
    """Objects an encoder holds, however it holds them."""
    seen, open_ = set(), [encoder]
    while open_:
        item = open_.pop()
        if id(item) not in seen and not isinstance(item, (type, ModuleType)):
            seen.add(id(item))
            open_ += gc.get_referents(item)
    return len(seen)


def test_the_same_tags_of_two_measurements_are_two_series():
    encoder = Encoder()
    lines = [encoder.line(Point(name, (("t", "1"),), {"x": 1}, 1)) for name in ("a", "b", "a")]
    assert lines == ["a,t=1 x=1i 1", "b,t=1 x=1i 1", "a,t=1 x=1i 1"]


def _parts(line: str) -> tuple[str, frozenset[str], str]:
    """A line without escaped separators, less the order of its fields."""
    series, fields, time = line.split(" ")
    return series, frozenset(fields.split(",")), time


@pytest.mark.parametrize(
    ("measurement", "tags", "fields"),
    [
        ("cpu", {"host": "n1", "cpu": "cpu-total"}, {"usage_active": 12.25, "usage_idle": 87.75}),
        ("mem", {"host": "n1"}, {"total": 8_000_000_000, "used_percent": 33.3}),
        ("net", {"interface": "eth0", "host": "n1", "env": "prod"}, {"bytes_recv": 2**62, "bytes_sent": 0}),
        ("disk", {"path": "/data,a=b", "host": "é"}, {"used": 1, "used_percent": 0.1}),
        ("collector", {"group": "all"}, {"policy_hash": "abc", "series": 3}),
        ("other", {"a": "1"}, {"flag": True, "text": 'a"b\\c', "n": -1, "f": -0.5}),
    ],
)
def test_ordinary_points_are_written_as_influxdb_client_writes_them(
    measurement: str, tags: dict[str, str], fields: dict[str, Any]
):
    theirs = TheirPoint(measurement).time(1_700_000_000, WritePrecision.S)
    for key, value in tags.items():
        theirs = theirs.tag(key, value)
    for key, value in fields.items():
        theirs = theirs.field(key, value)
    ours = Encoder().line(Point(measurement, make_tags(tags), fields, 1_700_000_000))
    assert ours is not None
    assert _same_numbers(_parts(ours)) == _same_numbers(_parts(theirs.to_line_protocol()))


def _same_numbers(parts: tuple[str, frozenset[str], str]) -> tuple[str, frozenset[tuple[str, object]], str]:
    """influxdb-client writes whole floats as ``1`` and we as ``1.0``: the same value to InfluxDB."""
    series, fields, time = parts
    pairs = (field.split("=", 1) for field in fields)
    return series, frozenset((k, v if v[-1] in 'i"e' else float(v)) for k, v in pairs), time
