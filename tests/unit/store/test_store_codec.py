"""Columns come back bit by bit, and damage never goes unseen."""

from __future__ import annotations

import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.stores.embedded.codec import Chunk, Damaged, decode, encode

_floats = st.floats(allow_nan=False, allow_infinity=False)
_int64 = st.integers(-(2**63), 2**63 - 1)
_few = st.sampled_from([0.0, -0.0, 1.5, 99.99])
_columns = st.one_of(
    st.lists(_floats, min_size=1, max_size=400).map(lambda v: array("d", v)),
    st.lists(st.integers(0, 10**6).map(lambda n: n / 100), min_size=1, max_size=400).map(lambda v: array("d", v)),
    st.lists(st.integers(0, 10**7).map(lambda n: n / 1000), min_size=1, max_size=400).map(lambda v: array("d", v)),
    st.lists(_few, min_size=1, max_size=400).map(lambda v: array("d", v)),
    st.lists(st.integers(-(2**60), 2**60).map(float), min_size=1, max_size=400).map(lambda v: array("d", v)),
    st.lists(_int64, min_size=1, max_size=400).map(lambda v: array("q", v)),
    st.lists(st.integers(0, 300), min_size=1, max_size=400).map(lambda v: array("q", v)),
    st.integers(300, 2_000).map(lambda n: array("q", range(n))),
    st.integers(300, 2_000).map(lambda n: array("d", [at * 1.1e-9 for at in range(n)])),
)


@st.composite
def _timed(draw: st.DrawFn) -> tuple[list[int], array]:
    values = draw(_columns)
    steps = draw(
        st.lists(st.integers(1, 3_600), min_size=len(values), max_size=len(values))
        | st.integers(1, 60).map(lambda step: [step] * len(values))
    )
    times = [draw(st.integers(0, 2**33))]
    for step in steps[1:]:
        times.append(times[-1] + step)
    return times, values


@given(_timed(), st.integers(1, 2**40))
def test_what_is_encoded_is_decoded(column, slot):
    times, values = column
    chunk = encode(slot, times, values)
    assert chunk.samples == len(values)
    found_times, found = decode(slot, chunk, values.typecode)
    assert list(found_times) == times
    assert array(values.typecode, found).tobytes() == values.tobytes()


def test_floats_stay_floats_and_integers_integers():
    for values in (
        array("d", [1.0, 2.0]),
        array("d", [3.0]),
        array("d", [0.25, 0.5]),
        array("q", [1, 2]),
        array("q", [7]),
    ):
        _, found = decode(1, encode(1, range(5, 5 + len(values)), values), values.typecode)
        assert {type(value) for value in found} == {float if values.typecode == "d" else int}


@pytest.mark.parametrize(
    ("values", "most"),
    [
        (array("d", [12.5]) * 1_800, 16),
        (array("q", range(10**9, 10**9 + 1_800)), 40),
        (array("d", [float(at % 100) / 100 for at in range(1_800)]), 1_200),
    ],
    ids=["one value", "a steady counter", "percentages"],
)
def test_ordinary_columns_are_small(values, most):
    assert len(encode(1, range(1_800), values).data) < most


@given(_timed(), st.data())
def test_damage_is_seen(column, data):
    times, values = column
    chunk = encode(3, times, values)
    at = data.draw(st.integers(0, len(chunk.data) - 1))
    flipped = bytes([*chunk.data[:at], chunk.data[at] ^ data.draw(st.integers(1, 255)), *chunk.data[at + 1 :]])
    for wrong in (
        chunk._replace(data=flipped),
        chunk._replace(data=chunk.data[:at]),
        chunk._replace(first=chunk.first + 1),
        chunk._replace(samples=chunk.samples + 1),
    ):
        with pytest.raises(Damaged):
            decode(3, wrong, values.typecode)
    with pytest.raises(Damaged):
        decode(4, chunk, values.typecode)


def test_an_empty_chunk_is_damage():
    with pytest.raises(Damaged):
        decode(1, Chunk(0, 1, 1, struct.pack("<I", 0)), "d")
