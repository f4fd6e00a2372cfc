"""Frames are found again, whatever happens between them."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from nodetide_collector.sinks.influx.frames import HEADER_SIZE, Batch, Frame, encode_frame, find_frame
from nodetide_core.stores.influx.packed import Packed

BATCHES = st.builds(
    Batch,
    st.builds(Packed, st.binary(max_size=200), st.integers(1, 2**32 - 1)),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
)


def reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda at, size: data[at : at + size]


def frames(data: bytes) -> list[Frame]:
    found, at = [], 0
    while at < len(data):
        next_one = find_frame(reader(data), at, len(data))
        assert next_one.at > at
        at = next_one.at
        if next_one.frame is not None:
            found.append(next_one.frame)
    return found


@given(BATCHES, st.integers(0, 2**64 - 1))
def test_a_frame_comes_back_as_it_was(batch: Batch, line: int) -> None:
    data = encode_frame(batch, line)
    found = find_frame(reader(data), 0, len(data))
    assert found.frame == Frame(batch, line)
    assert (found.at, found.damaged, found.torn) == (len(data), 0, None)


@given(st.lists(BATCHES, min_size=1, max_size=6), st.data())
def test_frames_that_are_not_touched_are_found_and_no_others(batches: list[Batch], data: st.DataObject) -> None:
    encoded = [encode_frame(batch, line) for line, batch in enumerate(batches)]
    whole = bytearray(b"".join(encoded))
    touched = data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4, unique=True))
    for at in touched:
        whole[at] ^= data.draw(st.integers(1, 255))
    expected, at = [], 0
    for line, frame in enumerate(encoded):
        if not any(at <= where < at + len(frame) for where in touched):
            expected.append(Frame(batches[line], line))
        at += len(frame)
    assert frames(bytes(whole)) == expected


@given(BATCHES, st.binary(max_size=300), st.integers(0, 1000))
def test_garbage_before_a_frame_is_passed_over(batch: Batch, garbage: bytes, line: int) -> None:
    data = garbage + encode_frame(batch, line)
    found = find_frame(reader(data), 0, len(data))
    assert (found.frame, found.damaged) == (Frame(batch, line), len(garbage))


@given(BATCHES, st.integers(0, 1000), st.data())
def test_a_torn_frame_is_no_frame_but_may_say_how_many_lines_it_had(
    batch: Batch, line: int, data: st.DataObject
) -> None:
    encoded = encode_frame(batch, line)
    cut = data.draw(st.integers(1, len(encoded) - 1))
    found = find_frame(reader(encoded[:cut]), 0, cut)
    assert (found.frame, found.at, found.damaged) == (None, cut, cut)
    assert found.torn == (line + batch.packed.count if cut >= HEADER_SIZE else None)


def test_magic_inside_of_what_is_passed_over_does_not_stop_the_search() -> None:
    frame = encode_frame(Batch(Packed(b"x", 1), 0, 0), 0)
    data = (b"nTf1" * 50_000) + frame
    assert find_frame(reader(data), 0, len(data)).at == len(data)
    data = b"\0" * 65_534 + frame  # the magic lies across two of the reads
    assert find_frame(reader(data), 0, len(data)).frame is not None
