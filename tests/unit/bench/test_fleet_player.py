"""The fleet's hosts: what they write is what they are counted by."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from tests.bench.fleet_recording import Player, Recording

from nodetide_core.points import Point, SeriesKey, make_tags

_NET = make_tags({"host": "recorded", "interface": "eth0"})
_CPU = make_tags({"cpu": "cpu0", "host": "recorded"})
_DISK = make_tags({"host": "recorded", "path": "/"})


def _recording() -> Recording:
    """Twenty seconds: a counter of integers, one of floats, gauges, a group of 10 s, and a series seen once."""
    frames = []
    for second in range(20):
        points = [
            Point("net", _NET, {"bytes_recv": 1_000 + 7 * second, "speed": -1}, second),
            Point("cpu", _CPU, {"time_user": 3.25 + second / 100, "usage_user": second % 5 * 1.5}, second),
        ]
        if second % 10 == 0:
            points.append(Point("disk", _DISK, {"used": 5 + second}, second))
        if second == 13:
            points.append(Point("net", _NET[:1], {"udp_noports": 1}, second))
        frames.append(tuple(points))
    return Recording(tuple(frames))


@pytest.mark.parametrize(
    ("start", "stop"), [(1_000, 1_020), (1_003, 1_064), (1_013, 1_060), (1_007, 1_007), (1_009, 1_010)]
)
def test_expected_is_what_is_played(start: int, stop: int) -> None:
    player = Player(_recording(), start)
    played: Counter[tuple[SeriesKey, str]] = Counter()
    for second in range(start, stop):
        for point in player.points("node-1", second):
            key = SeriesKey(point.measurement, tuple(pair for pair in point.tags if pair[0] != "host"))
            played.update((key, name) for name in point.fields)
    assert +player.expected(start, stop) == played


def test_a_host_is_itself_at_its_own_time() -> None:
    player = Player(_recording(), 1_003)
    points = player.points("node-7", 1_010)
    assert {point.time for point in points} == {1_010}
    assert {dict(point.tags)["host"] for point in points} == {"node-7"}
    assert [point.measurement for point in points] == ["net", "cpu", "disk"]  # 10 s groups at seconds that 10 divides


def test_counters_never_fall_and_keep_type_and_form() -> None:
    player = Player(_recording(), 1_000)
    received, user = [], []
    for second in range(1_000, 1_200):
        net, cpu, *_ = player.points("node-1", second)
        received.append(net.fields["bytes_recv"])
        user.append(cpu.fields["time_user"])
        assert net.fields["speed"] == -1
    assert all(isinstance(value, int) for value in received)
    assert all(len(repr(value)) <= 5 for value in user)  # two decimals, as /proc has them
    for values in (received, user):
        assert all(a < b for a, b in pairwise(values))  # type: ignore[operator]
