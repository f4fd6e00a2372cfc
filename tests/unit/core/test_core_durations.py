from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.durations import DURATION_PATTERN, format_about, format_duration, parse_duration

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@given(st.integers(0, 999_999_999))
def test_what_is_formatted_is_parsed_back(seconds: int):
    text = format_duration(seconds)
    assert parse_duration(text) == seconds
    assert re.fullmatch(r"[0-9]+[dhms]", text)


@given(st.integers(0, 10**6) | st.integers(0, 999_999_999))
def test_about_is_at_most_two_units_and_not_less(seconds: int):
    text = format_about(seconds)
    parts = re.findall(r"([0-9]+)([dhms])", text)
    assert "".join(map("".join, parts)) == text
    assert len(parts) <= 2
    least = {"d": 3600, "h": 60, "m": 1, "s": 1}[parts[0][1]]
    assert 0 <= parse_duration(text) - seconds < least
    if len(parts) == 2:
        assert "dhms".index(parts[1][1]) == "dhms".index(parts[0][1]) + 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (61, "1m1s"), (5400, "1h30m"), (5401, "1h31m"), (86_399, "1d"),
     (86_400, "1d"), (614_400, "7d3h"), (7_199, "2h")],
)  # fmt: skip
def test_about(seconds: int, text: str):
    assert format_about(seconds) == text


@given(st.lists(st.tuples(st.integers(0, 999_999_999), st.sampled_from(sorted(SECONDS))), min_size=1, max_size=5))
def test_parts_add_up(parts: list[tuple[int, str]]):
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert parse_duration(text) == sum(number * SECONDS[unit] for number, unit in parts)


@given(st.text(st.characters()) | st.text(alphabet="0159smhdw.- \n", max_size=12))
def test_any_other_text_is_refused_by_value_error(text: str):
    try:
        assert parse_duration(text) >= 0
    except ValueError as error:
        assert "is not a duration; write numbers with s, m, h, d or w" in str(error)
        assert not re.fullmatch(DURATION_PATTERN, text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("0s", 0), ("1s", 1), ("90s", 90), ("1h30m", 5400), ("30m1h", 5400), ("7d", 604_800), ("1w", 604_800)],
)
def test_durations(text: str, seconds: int):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "1", "s", "00", "1S", "1 s", " 1s", "1s ", "1s\n", "0\n", "-1s", "+1s", "1.5h", "1ms", "1y", "1h 30m",
     "١s", "1s" * 6, "1234567890s"],
)  # fmt: skip
def test_what_is_no_duration(text: str):
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (1, "1s"), (60, "1m"), (61, "61s"), (300, "5m"), (5400, "90m"), (86_400, "1d"), (604_800, "7d")],
)
def test_the_unit_is_the_largest_that_is_exact(seconds: int, text: str):
    assert format_duration(seconds) == text
