"""Times and spans of queries."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_api.timeparse import LATEST_TIME, PERIOD_PATTERN, TIME_PATTERN, format_time, parse_period, parse_time
from nodetide_core.errors import QueryError

NOW = 1_772_355_600

offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1971, 1, 1), datetime(2099, 12, 30), timezones=offsets)


@given(moments, st.sampled_from(["T", "t", " "]))
def test_rfc3339_with_any_offset_is_the_moment_it_names(moment, separator):
    text = moment.isoformat().replace("T", separator)
    assert re.match(TIME_PATTERN, text)
    # Floor division, as datetime computes it: the oracle shares no code with the parser.
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert parse_time("start_time", text, now=NOW) == (moment - epoch) // timedelta(seconds=1)


@given(moments)
def test_a_plus_sign_that_was_not_encoded_is_understood(moment):
    text = moment.isoformat()
    asked = parse_qs(f"start_time={text}")["start_time"][0]
    encoded = parse_qs(f"start_time={quote(text)}")["start_time"][0]
    assert parse_time("start_time", asked, now=NOW) == parse_time("start_time", encoded, now=NOW)


@given(st.integers(0, LATEST_TIME))
def test_what_is_formatted_is_parsed_back(time):
    assert parse_time("start_time", format_time(time), now=NOW) == time
    assert parse_time("start_time", str(time), now=NOW) == time
    assert parse_time("start_time", f"{time}.999", now=NOW) in (time, LATEST_TIME)


@pytest.mark.parametrize(
    ("text", "seconds"), [("-1h", 3600), ("-90m", 5400), ("-1h30m", 5400), ("-7d", 604_800), ("now()", 0), ("now", 0)]
)
def test_spans_count_back_from_now(text, seconds):
    assert re.match(TIME_PATTERN, text)
    assert parse_time("start_time", text, now=NOW) == NOW - seconds


def test_a_leap_second_is_the_next_second():
    assert parse_time("t", "2016-12-31T23:59:60Z", now=NOW) == parse_time("t", "2017-01-01T00:00:00Z", now=NOW)


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "1h", "-", "-1", "-1y", "+1h", "2026-03-01", "2026-03-01T09:00:00", "2026-02-30T09:00:00Z",
        "2026-03-01T25:00:00Z", "2026-03-01T09:00:00+24:00", "2026-03-01T09:00:00+09", "1e9", "NaN", "١٢٣", "now(1)",
        "-999999999w", "1772355600000", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59",
        "2026-03-01T09:00:00Z\n",
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_by_name(text):
    with pytest.raises(QueryError) as caught:
        parse_time("end_time", text, now=NOW)
    assert caught.value.parameter == "end_time"


def test_milliseconds_are_recognised_as_a_mistake():
    with pytest.raises(QueryError, match="seconds, not milliseconds"):
        parse_time("start_time", "1772355600000", now=NOW)


@given(st.text())
def test_any_text_is_a_time_in_range_or_refused(text):
    try:
        assert 0 <= parse_time("start_time", text, now=NOW) <= LATEST_TIME
    except QueryError as error:
        assert error.parameter == "start_time"


@given(st.from_regex(TIME_PATTERN, fullmatch=True))
def test_what_the_document_calls_a_time_has_the_form_of_one(text):
    try:
        parse_time("start_time", text, now=NOW)
    except QueryError as error:
        assert "allowed: a span" not in str(error), "only its value may be refused"


@pytest.mark.parametrize(("text", "seconds"), [("-1h", 3600), ("1h", 3600), ("-7d", 604_800)])
def test_periods_are_written_with_or_without_the_minus(text, seconds):
    assert re.match(PERIOD_PATTERN, text)
    assert parse_period("period", text) == seconds


@pytest.mark.parametrize("text", ["", "-", "0", "-0s", "--1h", "now()", "1 h"])
def test_what_is_no_period_is_refused_by_name(text):
    with pytest.raises(QueryError) as caught:
        parse_period("period", text)
    assert caught.value.parameter == "period"


def test_times_are_written_in_utc_with_no_more_digits_than_needed():
    assert format_time(NOW) == "2026-03-01T09:00:00Z"
    assert format_time(NOW + 0.25) == "2026-03-01T09:00:00.250Z"
