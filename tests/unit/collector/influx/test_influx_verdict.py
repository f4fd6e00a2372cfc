"""Every answer has one meaning; data is only ever given up on InfluxDB's own word."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.stores.influx.http import Reply
from nodetide_core.stores.influx.verdict import Kind, judge, write_path

NOW = 1_700_000_000.0
MakeReply = Callable[..., Reply]

CASES = [
    (204, "", "", Kind.SENT),
    (200, "", "", Kind.SENT),
    (400, "invalid", "unable to parse 'x': missing fields", Kind.REJECTED),
    (400, "invalid", "gzipped HTTP body contains an invalid header", Kind.REFUSED),
    (400, "", "", Kind.DENIED),
    (401, "unauthorized", "unauthorized access", Kind.DENIED),
    (403, "forbidden", "insufficient permissions for write", Kind.REFUSED),
    (404, "not found", 'bucket "b" not found', Kind.REFUSED),
    (404, "not found", 'organization name "o" not found', Kind.DENIED),
    (404, "", "", Kind.DENIED),
    (301, "", "", Kind.DENIED),
    (413, "", "", Kind.TOO_LARGE),
    (413, "request too large", "unable to read data: points batch is too large", Kind.TOO_LARGE),
    (422, "unprocessable entity", "failure writing points: partial write: x dropped=3 for database: d", Kind.PARTIAL),
    (422, "conflict", "something else", Kind.REFUSED),
    (422, "", "", Kind.DENIED),
    (429, "too many requests", "slow down", Kind.BUSY),
    (408, "", "", Kind.BUSY),
    (500, "internal error", "unexpected error writing points to database: timeout", Kind.BUSY),
    (500, "internal error", "unexpected error writing points to database: engine: timeout?", Kind.FAILED),
    (500, "", "", Kind.BUSY),
    (502, "", "", Kind.BUSY),
    (503, "unavailable", "", Kind.BUSY),
    (504, "", "", Kind.BUSY),
]


@pytest.mark.parametrize(("status", "code", "message", "kind"), CASES)
def test_meaning(reply: MakeReply, status: int, code: str, message: str, kind: Kind) -> None:
    assert judge(reply(status, code, message), org="o", bucket="b", now=NOW).kind is kind


def test_the_number_dropped_is_influxds(reply: MakeReply) -> None:
    said = 'partial write: field type conflict: input field "dropped=9" on x dropped=3 for database: d'
    verdict = judge(reply(422, "unprocessable entity", said), org="o", bucket="b", now=NOW)
    assert verdict.dropped == 3


@pytest.mark.parametrize(
    ("status", "code", "message", "said"),
    [
        (401, "unauthorized", "unauthorized access", "INFLUXDB_TOKEN"),
        (403, "forbidden", "insufficient permissions for write", "write permission"),
        (404, "not found", 'bucket "b" not found', "bucket 'b' does not exist in organization 'o'"),
        (404, "not found", 'organization name "o" not found', "INFLUXDB_ORG"),
        (307, "", "", "INFLUXDB_URL"),
    ],
)
def test_what_to_fix_is_said(reply: MakeReply, status: int, code: str, message: str, said: str) -> None:
    assert said in judge(reply(status, code, message), org="o", bucket="b", now=NOW).reason


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("1e99", None),
        ("Tue, 99 Nov 2023 22:13:30 GMT", None),
        ("", None),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    answer = Reply(503, {"retry-after": text}, b"")
    assert judge(answer, org="o", bucket="b", now=NOW).retry_after == seconds


@given(st.integers(100, 599), st.binary(max_size=60))
def test_no_answer_of_anyone_else_gives_data_up(status: int, body: bytes) -> None:
    verdict = judge(Reply(status, {}, body), org="o", bucket="b", now=NOW)
    assert verdict.kind not in (Kind.REJECTED, Kind.PARTIAL, Kind.FAILED)
    assert (verdict.kind is Kind.SENT) == (200 <= status < 300)


@given(st.sampled_from([b"null", b"[]", b"1", b'{"code": 1, "message": null}', b'{"code": "invalid"}', b'"x"']))
def test_strange_json_is_not_influxds(body: bytes) -> None:
    assert judge(Reply(400, {}, body), org="o", bucket="b", now=NOW).kind is Kind.DENIED


def test_names_are_quoted_in_the_path() -> None:
    path = write_path("a&org=b/c", "b#?é\n")
    assert path == "/api/v2/write?org=a%26org%3Db%2Fc&bucket=b%23%3F%C3%A9%0A&precision=s"
