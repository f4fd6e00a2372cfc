"""Points become batches of one hour; every line comes out as the encoder has it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_collector.sinks.influx.batches import make_batches
from nodetide_core.lineprotocol import Encoder, encode, parse
from nodetide_core.points import Point
from nodetide_core.stores.influx.packed import join, unpack

START = 1_700_002_800
POINTS = st.builds(
    Point,
    st.sampled_from(["cpu", "notes"]),
    st.just((("host", "a"),)),
    st.dictionaries(
        st.sampled_from(["text", "v"]),
        st.one_of(st.text('a\n"\\ ,=é', max_size=8), st.floats(-9, 9), st.just(float("nan"))),
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


@pytest.mark.parametrize(("ticks", "series"), [(1, 10), (20, 10), (20, 2_000)])
def test_joined_they_are_the_lines_of_all_and_small_ones_are_smaller_together(
    ticks: int, series: int, unzip: Callable[[bytes], bytes]
) -> None:
    points = [
        [
            Point("cpu", (("cpu", f"cpu{number}"),), {"usage_user": number / 7 + tick}, START + tick)
            for number in range(series)
        ]
        for tick in range(ticks)
    ]
    packed = [batch.packed for some in points for batch in make_batches(Encoder(), some, 5_000)]
    joined = join(packed)
    assert unzip(joined) == b"".join(map(encode, points))
    apart = sum(len(each.data) for each in packed)
    assert len(joined) < apart / 2 if (ticks, series) == (20, 10) else len(joined) == apart
