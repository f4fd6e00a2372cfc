from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.errors import LineProtocolError
from nodetide_core.lineprotocol import parse, parse_line
from nodetide_core.points import Point

GARBAGE = st.text(alphabet='mfk=,"\\ \n\t\r#019.-+eiutTF\x00\ud800é', max_size=40) | st.text(st.characters())


@pytest.mark.parametrize(
    ("line", "point"),
    [
        ("m f=1", Point("m", (), {"f": 1.0}, 0)),
        ("m f=1 5", Point("m", (), {"f": 1.0}, 5)),
        ("  m   f=1   5  \r", Point("m", (), {"f": 1.0}, 5)),
        ("m f=1 ", Point("m", (), {"f": 1.0}, 0)),
        ("m,b=2,a=1 f=1i,g=2u,h=-3i 5", Point("m", (("a", "1"), ("b", "2")), {"f": 1, "g": 2, "h": -3}, 5)),
        ("m f=1.,g=.5,h=-1e3,i=+2E-2", Point("m", (), {"f": 1.0, "g": 0.5, "h": -1000.0, "i": 0.02}, 0)),
        ("m a=t,b=T,c=true,d=True,e=TRUE", Point("m", (), dict.fromkeys("abcde", True), 0)),
        ("m a=f,b=F,c=false,d=False,e=FALSE", Point("m", (), dict.fromkeys("abcde", False), 0)),
        ('m f="" 5', Point("m", (), {"f": ""}, 5)),
        ('m f="a b,c=d\\"e\\\\" 5', Point("m", (), {"f": 'a b,c=d"e\\'}, 5)),
        ('m f="a\\nb" 5', Point("m", (), {"f": "a\\nb"}, 5)),
        ('m f="a\nb" 5', Point("m", (), {"f": "a\nb"}, 5)),
        ("m\\ x\\,y=z,k\\ 1\\,\\==v\\ 2 f\\==1", Point("m x,y=z", (("k 1,=", "v 2"),), {"f=": 1.0}, 0)),
        ("m,t=a\\b f\\x=1", Point("m", (("t", "a\\b"),), {"f\\x": 1.0}, 0)),
        ('m,t="q" "f"=1', Point("m", (("t", '"q"'),), {'"f"': 1.0}, 0)),
        ("m f=1,f=2", Point("m", (), {"f": 2.0}, 0)),
        ("日本,é=ü f=1", Point("日本", (("é", "ü"),), {"f": 1.0}, 0)),
        ("m f=9223372036854775807i", Point("m", (), {"f": 2**63 - 1}, 0)),
        ("m f=-9223372036854775808i", Point("m", (), {"f": -(2**63)}, 0)),
        ("m f=18446744073709551615u", Point("m", (), {"f": 2**64 - 1}, 0)),
        ("m f=5e-324", Point("m", (), {"f": 5e-324}, 0)),
    ],
)
def test_lines(line: str, point: Point):
    assert parse_line(line) == point
    assert list(parse(line)) == [point]


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ("m", 2, "expected a space before the fields"),
        ("m ", 3, "expected a field key"),
        (",t=a f=1", 1, "expected a measurement"),
        ("m, f=1", 3, "expected a tag key"),
        ("m,t f=1", 4, "expected '=' after the tag key"),
        ("m,t= f=1", 5, "expected a tag value"),
        ("m,=a f=1", 3, "expected a tag key"),
        ("m,t=a=b f=1", 6, "expected a space before the fields"),
        ("m,t=a,t=b f=1", 7, "tag 't' stands twice"),
        ("m,t=a,t\\ =b,t=c f=1", 13, "tag 't' stands twice"),
        ("m,t=a", 6, "expected a space before the fields"),
        ("m,t=a\\ f=1", 9, "expected a space before the fields"),
        ("m f", 4, "expected '=' after the field key"),
        ("m =1", 3, "expected a field key"),
        ("m f=", 5, "expected a value"),
        ("m f=,g=1", 5, "expected a value"),
        ("m f=1,", 7, "expected a field key"),
        ("m f=1,,g=2", 7, "expected a field key"),
        ("m f=x", 5, "'x' is not a number, a boolean or a quoted string"),
        ("m g=1,f=1x 5", 9, "'1x' is not a number"),
        ("m f=1.5i", 5, "'1.5i' is not a number"),
        ("m f=nan", 5, "'nan' is not a number"),
        ("m f=inf", 5, "'inf' is not a number"),
        ("m f=-Infinity", 5, "'-Infinity' is not a number"),
        ("m f=1e999", 5, "'1e999' is not a number"),
        ("m f=1_0", 5, "'1_0' is not a number"),
        ("m f=0x10", 5, "'0x10' is not a number"),
        ("m f=١", 5, "'١' is not a number"),
        ("m f=tRUE", 5, "'tRUE' is not a number"),
        ("m f='x'", 5, "is not a number, a boolean or a quoted string"),
        ("m f=9223372036854775808i", 5, "9223372036854775808i does not fit in 64 bits"),
        ("m f=-9223372036854775809i", 5, "does not fit in 64 bits"),
        ("m f=18446744073709551616u", 5, "does not fit in 64 bits"),
        ("m f=-1u", 5, "-1u does not fit in 64 bits"),
        ("m f=" + "9" * 5_000 + "i", 5, "is not a number"),
        ('m f="abc', 5, "the string has no closing quote"),
        ('m f="abc\\"', 5, "the string has no closing quote"),
        ('m f="abc\\', 5, "the string has no closing quote"),
        ('m f="a"b', 8, "expected the end of the line"),
        ('m f="a"=1', 8, "expected the end of the line"),
        ("m f=1 x", 7, "the time is not a whole number"),
        ("m f=1 1.5", 7, "the time is not a whole number"),
        ("m f=1 1e3", 7, "the time is not a whole number"),
        ("m f=1  " + "9" * 5_000, 8, "the time is not a whole number"),
        ("m f=1 9223372037", 7, "the time is not between the years 1677 and 2262"),
        ("m f=1 -9223372037", 7, "the time is not between the years 1677 and 2262"),
        ("m f=1 5 6", 9, "expected the end of the line"),
        ("m f=1 5,g=1", 8, "expected the end of the line"),
        ("m f=1, g=2", 7, "expected a field key"),
        ("m f =1", 4, "expected '=' after the field key"),
        ("  m f=x", 7, "'x' is not a number"),
    ],
)
def test_what_is_no_line_protocol_is_refused_with_its_column(line: str, column: int, reason: str):
    for read in (parse_line, lambda text: list(parse("ok x=1 1\n" + text + "\nok x=2 2"))):
        if '="' in line and "closing" in reason and read is not parse_line:
            continue  # an open quote takes the next lines with it, so only its start is tested
        with pytest.raises(LineProtocolError) as caught:
            read(line)
        assert (caught.value.column, caught.value.line) == (column, line)
        assert reason in caught.value.reason
        assert str(caught.value) == f"column {column}: {caught.value.reason}"


def test_an_error_on_a_later_line_of_a_string_gives_the_column_there():
    with pytest.raises(LineProtocolError) as caught:
        list(parse('m f="a\nb" x\nm f=1'))
    assert (caught.value.column, caught.value.line) == (4, 'b" x')


def test_a_document_is_read_lazily_up_to_the_line_that_is_wrong():
    points = parse("m f=1 1\n\n m f=2 2\r\nwrong\nm f=3 3")
    assert [next(points).time, next(points).time] == [1, 2]
    with pytest.raises(LineProtocolError) as caught:
        next(points)
    assert caught.value.line == "wrong"


@pytest.mark.parametrize(
    "text",
    [
        "m f=1 1\nm f=2 2",
        "m f=1 1\nm f=2 2\n",
        "\n\n \t\r\nm f=1 1\r\n\r\nm f=2 2\r\n",
        "# it's \"quoted\nm f=1 1\n  # more\n#\nm f=2 2\n# last",
        "m f=1 1 \n\tm f=2 2",
    ],
)
def test_blank_lines_and_comments_are_skipped(text: str):
    assert [(point.fields["f"], point.time) for point in parse(text)] == [(1.0, 1), (2.0, 2)]


@pytest.mark.parametrize("text", ["", "\n", " ", "# m f=1", "\r\n\t\n#"])
def test_nothing_but_blanks_holds_no_point(text: str):
    assert list(parse(text)) == []


def test_a_quote_in_a_name_does_not_open_a_string():
    assert [point.fields for point in parse('m"x,"t=" f"=1 1\nm f=2 2')] == [{'f"': 1.0}, {"f": 2.0}]


def test_one_line_is_one_line():
    with pytest.raises(LineProtocolError, match="expected one line"):
        parse_line("m f=1 1\nm f=2 2")
    assert parse_line("m f=1 1\n") == Point("m", (), {"f": 1.0}, 1)


@pytest.mark.parametrize(
    ("precision", "text", "seconds"),
    [
        ("s", "-5", -5),
        ("ms", "1999", 1),
        ("ms", "-1", -1),
        ("us", "1999999", 1),
        ("ns", "1999999999", 1),
        ("ns", "-1", -1),
        ("ns", "9223372036854775806", 9_223_372_036),
        ("ns", "-9223372036854775806", -9_223_372_037),
    ],
)
def test_times_are_rounded_down_to_seconds(precision: str, text: str, seconds: int):
    assert parse_line(f"m f=1 {text}", precision).time == seconds  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["9223372036854775807", "-9223372036854775807"])
def test_times_influxdb_keeps_to_itself_are_refused(text: str):
    with pytest.raises(LineProtocolError, match="1677 and 2262"):
        parse_line(f"m f=1 {text}", "ns")


@given(GARBAGE)
def test_nothing_but_a_line_protocol_error_comes_of_any_text(text: str):
    for read in (parse_line, lambda text: list(parse(text))):
        try:
            read(text)
        except LineProtocolError as error:
            assert error.column >= 1
            assert error.line in text
            assert error.column <= len(error.line) + 1


def _steps(text: str) -> int:
    """Lines of Python and matches of patterns that reading takes: a measure that does not depend on the machine."""
    count = 0

    def trace(frame: object, event: str, arg: object) -> object:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        for _ in parse(text):
            pass
    except LineProtocolError:
        pass
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "unit", ["m,t=a f=1 1\n", "# c\n", "\n", '"', "\\", "m f=1,", ",t=", 'm f="', "\\\n", " ", "a\\,", "#", "\r"]
)
def test_the_steps_of_reading_grow_no_faster_than_the_text(unit: str):
    small, large = _steps(unit * 200), _steps(unit * 800)
    assert large <= 4.5 * small + 200


@pytest.mark.parametrize(
    "text",
    [
        "m f=" + '"' + "a" * 300_000,
        "m f=" + '"' + "\\a" * 150_000,
        "m f=" + '"' + '\\"' * 150_000,
        "m," + "\\," * 150_000,
        "m," + "\\" * 300_000,
        "\\" * 300_000,
        " " * 300_000,
        " \t" * 150_000 + "x",
        "#" * 300_000,
        "\n" * 300_000 + "x",
        (" " * 50 + "\n") * 6_000 + "x",
        "m f=" + "1" * 300_000,
        "m f=" + "1" * 300_000 + "e",
        "m f=1 " + "1" * 300_000,
        "m" + ",t=a" * 75_000,
    ],
)
@pytest.mark.timeout(60)
def test_patterns_do_not_backtrack_beyond_linear_time(text: str):
    """Quadratic time would be 10^10 steps or more here, past any time-out on any machine."""
    try:
        list(parse(text))
    except LineProtocolError as error:
        assert error.column >= 1
