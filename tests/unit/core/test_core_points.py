from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nodetide_core.points import Point, SeriesKey, make_tags, tag, writable

ANY_TEXT = st.text(st.characters(), max_size=12) | st.text(alphabet="a\\ ,=\"'\n\r\t\x00\ud800é", max_size=8)


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT)))
@example([("a\x00", "1"), ("a\x01", "2")])
def test_tags_are_sorted_unique_and_never_empty(pairs: list[tuple[str, str]]):
    tags = make_tags(pairs)
    keys = [key for key, _ in tags]
    assert keys == sorted(set(keys))
    assert all(key and value for key, value in tags)
    assert {writable(key) for key, value in pairs if key and value} == set(keys)


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT)))
def test_made_tags_stay_as_they_are(pairs: list[tuple[str, str]]):
    tags = make_tags(pairs)
    assert make_tags(tags) == make_tags(dict(tags)) == tags


@given(ANY_TEXT)
def test_writable_text_holds_nothing_line_protocol_cannot_carry(text: str):
    out = writable(text)
    assert len(out) == len(text)
    assert not re.search(r"[\x00-\x1f\x7f]", out)
    assert not re.search(r"\\[,= \\]", out)
    assert not out.endswith("\\")
    out.encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("a\nb\rc\td\x00e\x7ff", "a_b_c_d_e_f"),
        ("\ud800", "_"),
        ("\U0001f600", "\U0001f600"),
        ("C:\\dir", "C:\\dir"),
        ("C:\\", "C:/"),
        ("a\\ b", "a/ b"),
        ("a\\,b", "a/,b"),
        ("a\\=b", "a/=b"),
        ("a\\\\b", "a/\\b"),
        ("\\\\\\", "///"),
        ("\\\n", "\\_"),
        ("a\u2028b\x85c", "a\u2028b\x85c"),
    ],
)
def test_what_becomes_of_what_cannot_be_written(text: str, expected: str):
    assert writable(text) == expected


def test_the_last_of_several_values_counts():
    assert make_tags([("a", "1"), ("b", "x"), ("a", "2")]) == (("a", "2"), ("b", "x"))


def test_tag_and_key():
    point = Point("cpu", make_tags({"host": "n1", "cpu": "cpu0"}), {"usage_idle": 1.0}, 5)
    assert tag(point.tags, "cpu") == "cpu0"
    assert tag(point.tags, "c") is None
    assert point.key == SeriesKey("cpu", (("cpu", "cpu0"), ("host", "n1")))
