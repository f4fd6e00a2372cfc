"""Alerts as points and back, and Flux's annotated CSV, without a server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.alerts.model import AlertKey, AlertState, Phase, Reading
from nodetide_core.alerts.ports import AlertRecord, Remembered, Told, ToldKey
from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.lineprotocol import Encoder, parse
from nodetide_core.points import Point, SeriesKey
from nodetide_core.stores.influx import alert_records
from nodetide_core.stores.influx.alert_records import (
    EVALUATED,
    RECORDS,
    TOLD,
    points,
    remembered_in,
    remembered_request,
)
from nodetide_core.stores.influx.answers import Rows
from nodetide_core.stores.influx.flux_answers import readings

TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
NASTY = TEXT | st.sampled_from(
    ["\\", "a\\", '\\"', "a, b=c", "\\\\,", "\x7f", "\n", "${x}", "\u00e9\u4e16\U0001f600", "\\u005c"]
)
TAGS = st.dictionaries(NASTY, NASTY, max_size=3).map(lambda tags: tuple(sorted(tags.items())))
KEYS = st.builds(AlertKey, st.just("b"), st.sampled_from(["A", "B.c"]), st.sampled_from(["critical", "info"]), TAGS)
TIMES = st.integers(0, 2**40)
STATES = st.builds(
    AlertState, st.sampled_from(Phase), TIMES, TIMES, TIMES, TIMES, st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.dictionaries(NASTY, NASTY, max_size=2)
HELD = st.builds(AlertRecord, STATES, TEXTS, TEXTS, st.booleans(), NASTY)
TOLD_KEYS = st.builds(ToldKey, st.sampled_from(["team", "x-1"]), NASTY)
SAID = st.builds(Told, st.sampled_from(["", "critical"]), TIMES, TIMES)


def through(written: list[Point]) -> list[list[Rows]]:
    """By line protocol and InfluxQL, as a server would answer `remembered_request`."""
    asked = remembered_request("b").text.split("; ")
    newest: dict[SeriesKey, Point] = {}
    for point in parse(Encoder().encode(written).decode()):
        newest[point.key] = point
    answers: list[list[Rows]] = []
    for measurement, text in zip((RECORDS, TOLD), asked, strict=True):
        names = text.removeprefix("SELECT ").partition(" FROM")[0].replace('"', "").split(", ")
        answers.append(
            [
                Rows(key, ["time", *names], [[point.time, *(point.fields[name] for name in names)]])
                for key, point in newest.items() if key.measurement == measurement
            ]
        )  # fmt: skip
    return answers


@given(
    st.lists(st.tuples(st.dictionaries(KEYS, st.none() | HELD, max_size=3),
                       st.dictionaries(TOLD_KEYS, st.none() | SAID, max_size=3)), max_size=4)
)  # fmt: skip
def test_what_was_written_last_is_what_is_remembered(steps: Any) -> None:
    written: list[Point] = []
    records: dict[AlertKey, AlertRecord | None] = {}
    told: dict[ToldKey, Told | None] = {}
    for new_records, new_told in steps:
        written += points(new_records, new_told, 7)
        records |= new_records
        told |= new_told
    wanted = Remembered(
        {key: record for key, record in records.items() if record is not None},
        {key: item for key, item in told.items() if item is not None},
    )
    assert remembered_in("b", through(written)) == wanted


def test_that_somebody_evaluates_is_written_but_not_by_those_who_only_tell() -> None:
    told = {ToldKey("team", "id"): Told("", 1, 2)}
    record = AlertRecord(AlertState(Phase.FIRING, 1, 2, 3, 4, 5.0), {}, {})
    key = AlertKey("b", "A", "info", ())
    counts = [
        sum(point.measurement == EVALUATED for point in points(records, said, 7))
        for records, said in (({}, {}), ({key: record}, {}), ({key: None}, told), ({}, told))
    ]
    assert counts == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("values", "at"),
    [([], 0), ([[70, 7]], 7), ([[70, None]], 0), ([[70, "x"]], 0)],
    ids=["none", "one", "null", "text"],
)
def test_when_somebody_evaluated_last(values: list[list[Any]], at: int) -> None:
    rows = [Rows(SeriesKey(EVALUATED, ()), ["time", "at"], values)] if values else []
    assert alert_records.evaluated_in(rows) == at


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_influxdb_does_not_have_become_one_that_it_has(value: float) -> None:
    key = AlertKey("b", "A", "info", ())
    written = list(points({key: AlertRecord(AlertState(Phase.FIRING, 1, 2, 3, 4, value), {}, {})}, {}, 7))
    assert remembered_in("b", through(written)).records[key].state.value == 0.0


def test_the_host_stands_in_a_tag_of_its_own() -> None:
    point, _ = points({AlertKey("b", "A", "info", (("cpu", "c"), ("host", "h"))): None}, {}, 7)
    assert dict(point.tags) == {"alert": "A", "severity": "info", "host": "h", "series": '{"cpu":"c","host":"h"}'}
    assert point.fields["state"] == 0


@pytest.mark.parametrize(
    ("tags", "values"),
    [
        ({"alert": "A", "severity": "info"}, [0, 2, 1.0, 0, 0, 0, 0, "{}", "{}", False, ""]),
        ({"alert": "A", "severity": "info", "series": "[]"}, [0, 2, 1.0, 0, 0, 0, 0, "{}", "{}", False, ""]),
        ({"alert": "A", "severity": "info", "series": "{"}, [0, 2, 1.0, 0, 0, 0, 0, "{}", "{}", False, ""]),
        ({"alert": "A", "severity": "info", "series": "{}"}, [0, 9, 1.0, 0, 0, 0, 0, "{}", "{}", False, ""]),
        ({"alert": "A", "severity": "info", "series": "{}"}, [0, 2, None, 0, 0, 0, 0, "{}", "{}", False, ""]),
        ({"alert": "A", "severity": "info", "series": "{}"}, [0, 2, 1.0, 0, 0, 0, 0, None, None, None, None]),
    ],
)
def test_points_of_others_under_that_name_are_no_records(tags: dict[str, str], values: list[Any]) -> None:
    rows = Rows(SeriesKey(RECORDS, tuple(sorted(tags.items()))), (), [values])
    assert alert_records.records_in("b", [rows]) == {}


def answer(
    *lines: str, datatype: str = "#datatype,string,long,double,string", default: str = "#default,_result,,,"
) -> bytes:
    return "\r\n".join([datatype, default, ",result,table,_value,host", *lines, "", ""]).encode()


class TestFlux:
    def test_the_last_row_of_each_table_counts(self) -> None:
        found = readings(answer(",,0,1,a", ",,0,2.5,a", ",,1,-3e2,b"), limit=10)
        assert found == [Reading((("host", "a"),), 2.5), Reading((("host", "b"),), -300.0)]

    def test_tables_with_other_columns_stand_apart(self) -> None:
        other = "\r\n".join(
            [
                "#datatype,string,long,long,string,string,dateTime:RFC3339",
                "#default,_result,,,,,",
                ",result,table,_value,zone,_field,_time",
                ',,1,7,"x, ""y""\nz",f,2026-01-01T00:00:00Z',
                "",
                "",
            ]
        ).encode()
        found = readings(answer(",,0,1,a") + other, limit=10)
        assert found == [Reading((("host", "a"),), 1.0), Reading((("zone", 'x, "y"_z'),), 7.0)]

    def test_no_number_is_no_reading(self) -> None:
        assert readings(answer(",,0,,a", ",,1,NaN,b", ",,2,+Inf,c", ",,3,1,d"), limit=10) == [
            Reading((("host", "d"),), 1.0)
        ]
        assert readings(b"\r\n", limit=10) == readings(b"", limit=10) == []

    def test_an_empty_tag_is_none(self) -> None:
        assert readings(answer(",,0,1,"), limit=10) == [Reading((), 1.0)]

    @pytest.mark.parametrize("annotated", [True, False])
    def test_errors_come_late(self, annotated: bool) -> None:
        notes = b"#datatype,string,string\r\n#default,,\r\n,error,reference\r\n,it broke,897\r\n"
        plain = b"error,reference\r\nit broke,\r\n"
        with pytest.raises(StoreRejected, match="the query: it broke"):
            readings(answer(",,0,1,a") + (notes if annotated else plain), limit=10)
        with pytest.raises(StoreUnavailable):
            readings(b"error,reference\r\ncontext deadline exceeded,\r\n", limit=10)

    def test_there_is_a_limit(self) -> None:
        rows = [f",,{n // 2},1,a" for n in range(10)]
        assert len(readings(answer(*rows), limit=10)) == 5
        with pytest.raises(StoreRejected, match="more than 9 rows"):
            readings(answer(*rows), limit=9)

    def test_what_gives_no_numbers_is_said(self) -> None:
        with pytest.raises(StoreRejected, match="a column _value of numbers, and has strings"):
            readings(answer(",,0,x,a", datatype="#datatype,string,long,string,string"), limit=10)
        lacking = answer(",,0,1,a").replace(b"_value", b"value")
        with pytest.raises(StoreRejected, match="must give a column _value; it gives result, table, value, host"):
            readings(lacking, limit=10)

    @pytest.mark.parametrize("body", [b"\xff\xfe", b'#datatype,string\n,"' + b"x" * 200_000])
    def test_what_is_no_csv_is_refused(self, body: bytes) -> None:
        with pytest.raises(StoreRejected, match="cannot be read"):
            readings(body, limit=10)
