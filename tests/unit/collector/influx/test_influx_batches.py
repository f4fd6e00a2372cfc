"""Points become batches of one hour; every line comes out as the encoder has it."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from nodetide_collector.sinks.influx.batches import make_batches
from nodetide_core.lineprotocol import Encoder, encode, parse
from nodetide_core.points import Point
from nodetide_core.stores.influx.packed import unpack

POINTS = st.builds(
    Point,
    st.sampled_from(["cpu", "notes"]),
    st.just((("host", "a"),)),
    st.dictionaries(
        st.sampled_from(["text", "v"]), st.one_of(st.text(max_size=8), st.floats(-9, 9), st.just(float("nan")))
    ),
    st.integers(1_700_000_000, 1_700_009_000),
)


@given(st.lists(POINTS, max_size=30), st.integers(1, 10))
def test_batches_hold_all_lines_of_one_hour_each_and_can_be_taken_apart(points: list[Point], most: int) -> None:
    batches = list(make_batches(Encoder(), points, most))
    lines = [line for batch in batches for line in unpack(batch.packed)]
    assert sorted(lines) == sorted(encode([point]) for point in points if encode([point]))
    for batch in batches:
        own = unpack(batch.packed)
        times = [point.time for line in own for point in parse(line.decode())]
        assert len(own) == batch.packed.count <= most
        assert batch.first <= min(times) <= max(times) <= batch.last
        assert batch.first // 3600 == batch.last // 3600


def test_members_joined_are_the_lines_joined(unzip: Callable[[bytes], bytes]) -> None:
    points = [Point("cpu", (), {"v": float(number)}, 1_700_000_000) for number in range(25)]
    batches = list(make_batches(Encoder(), points, 10))
    assert [batch.packed.count for batch in batches] == [10, 10, 5]
    assert unzip(b"".join(batch.packed.data for batch in batches)) == encode(points)
