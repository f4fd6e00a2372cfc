"""Names and values in query texts."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.store import Aggregate, RangeQuery
from nodetide_core.stores.influx import influxql
from nodetide_core.stores.influx.quoting import flux_string, flux_time, influxql_name
from nodetide_core.tiers import DEFAULT_TIERS

NASTY = ['"', "\\", '\\"', "a\nb", "${x}", "$", "'; DROP DATABASE b", '") |> drop()', "é日本", "\\n", "\t\r"]


def read_back(literal: str, escapes: dict[str, str]) -> str:
    """What a literal means, if it ends where it should."""
    assert literal[0] == literal[-1] == '"'
    body, at, found = literal[1:-1], 0, ""
    while at < len(body):
        assert body[at] not in '"\n', "it ends early"
        if body[at] != "\\":
            found += body[at]
            at += 1
        elif body[at + 1] == "x":
            found += chr(int(body[at + 2 : at + 4], 16))
            at += 4
        else:
            found += escapes[body[at + 1]]
            at += 2
    return found


@given(st.text() | st.sampled_from(NASTY))
def test_a_flux_string_means_the_text(text: str) -> None:
    literal = flux_string(text)
    assert "${" not in literal
    assert read_back(literal, {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}) == text


@given(st.text() | st.sampled_from(NASTY))
def test_an_influxql_name_means_the_name(name: str) -> None:
    assert read_back(influxql_name(name), {'"': '"', "\\": "\\", "n": "\n"}) == name


def test_a_time_is_utc() -> None:
    assert flux_time(1_700_000_000) == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize("value", NASTY)
def test_what_a_client_sends_is_bound_and_in_no_text(value: str) -> None:
    tags = {"host": frozenset({value, "other"})}
    query = RangeQuery("b", DEFAULT_TIERS.raw, "cpu", ("usage_user",), 0, 60, 10, Aggregate.MEAN, tags)
    requests = [
        influxql.raw_samples(query, 0),
        influxql.raw_steps(query),
        influxql.rolled_windows(query, ("", "_count")),
        influxql.newest_points("b", ["cpu"], tags["host"], 0),
        influxql.newest_by_host("b", ["cpu"], tags["host"], 0),
    ]
    for request in requests:
        assert value in request.parameters.values()
        unbound = re.sub(r"\$v[0-9]+", "", request.text)
        assert "$" not in unbound
        assert value == "$" or value not in unbound.replace('"', "", unbound.count('"') if value == '"' else 0)
        form = parse_qs(request.body().decode())
        assert form["q"] == [request.text]
        assert json.loads(form["params"][0]) == dict(request.parameters)


@given(st.text(min_size=1))
def test_a_name_of_a_tag_stays_a_name(name: str) -> None:
    query = RangeQuery("b", DEFAULT_TIERS.raw, "cpu", ("usage_user",), 0, 60, 1, Aggregate.LAST, {name: frozenset("x")})
    assert f"({influxql_name(name)}::tag = $v0)" in influxql.raw_samples(query, 0).text


@given(st.text(min_size=1))
def test_a_bucket_is_one_parameter_of_the_path(bucket: str) -> None:
    path = influxql.first_points(bucket.replace("\ud800", ""), ["cpu"], 0).path
    assert path.isascii()
    database = re.fullmatch(r"/query\?db=([^&]*)&epoch=s", path)
    assert database
    assert unquote_plus(database[1]) == bucket
