"""Documents in MessagePack come back as they were, in whatever parts they come."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.stores.influx.documents import Documents

_VALUES = st.one_of(
    st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), st.none(), st.booleans(), st.text(max_size=40)
)
_ROWS = st.lists(st.lists(_VALUES, min_size=3, max_size=3), max_size=9)


def answer(rows: list[list[Any]], times: int) -> dict[str, Any]:
    series = {"name": "cpu", "tags": {"host": "ü" * 40}, "columns": ["time", "x", "y"], "values": rows * times}
    return {"results": [{"statement_id": 0, "series": [series]}]}


def rows_of(document: Any) -> list[list[Any]]:
    return [list(row) for row in document["results"][0]["series"][0]["values"]]


@given(st.lists(st.tuples(_ROWS, st.integers(1, 200)), min_size=1, max_size=4), st.data())
def test_documents_come_in_parts_of_any_length(made: list[tuple[list[list[Any]], int]], data: st.DataObject) -> None:
    documents = [answer(rows, times) for rows, times in made]
    whole = b"".join(map(msgpack.packb, documents))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=20)))
    read: list[Any] = []
    found = Documents(read.append)
    for begin, end in pairwise([0, *cuts, len(whole)]):
        found.feed(whole[begin:end])
    found.end()
    assert [rows_of(document) for document in read] == [rows_of(document) for document in documents]
    assert read[0]["results"][0]["series"][0]["tags"] == {"host": "ü" * 40}


@given(_ROWS, st.data())
def test_what_breaks_off_is_an_error(rows: list[list[Any]], data: st.DataObject) -> None:
    whole = msgpack.packb(answer(rows, 200))
    found = Documents([].append)
    found.feed(whole[: data.draw(st.integers(1, len(whole) - 1))])
    with pytest.raises(ValueError, match="breaks off"):
        found.end()


@pytest.mark.parametrize("data", [b"\x91\xc1", b"\x81\x91\x01\x02", b"\x91" * 100_000])
def test_what_is_none_is_an_error_at_the_end(data: bytes) -> None:
    found = Documents([].append)
    found.feed(data)
    found.feed(msgpack.packb("more"))
    with pytest.raises(ValueError):
        found.end()


def test_text_that_is_not_utf_8_is_read_as_in_json() -> None:
    read: list[Any] = []
    found = Documents(read.append)
    found.feed(b"\xa3a\xffb")
    found.end()
    assert read == ["a\ufffdb"]


def test_one_is_given_while_the_next_is_made() -> None:
    read: list[Any] = []
    found = Documents(read.append)
    first, second = msgpack.packb("x" * 20_000), msgpack.packb("y" * 20_000)
    found.feed(first + second[:1_000])
    assert read == ["x" * 20_000]
    found.feed(second[1_000:])
    found.end()
    assert read == ["x" * 20_000, "y" * 20_000]
