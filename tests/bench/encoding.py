"""Line protocol encoding, beside influxdb-client's Point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from influxdb_client import Point as ClientPoint
from influxdb_client import WritePrecision
from tests.bench.figures import Figure, median

from nodetide_core.lineprotocol import Encoder
from nodetide_core.points import Point, make_tags

LINES, ROUNDS = 2_000, 15


def measure() -> Iterator[Figure]:
    points = [
        Point(
            "cpu",
            make_tags({"cpu": f"cpu{index % 64}", "host": f"node-{index // 64}", "cluster": "prod"}),
            {"usage_user": 12.5 + index / 7, "usage_system": 3.25, "usage_idle": 84.0, "time_user": 123456.78 + index},
            1_763_880_000 + index,
        )
        for index in range(LINES)
    ]
    encoder = Encoder()

    def ours() -> bytes:
        return encoder.encode(points)

    def theirs() -> bytes:
        lines = []
        for measurement, tags, fields, at in points:
            point = ClientPoint(measurement).time(at, WritePrecision.S)
            for key, value in tags:
                point.tag(key, value)
            for key, value in fields.items():
                point.field(key, value)
            lines.append(point.to_line_protocol())
        return "\n".join(lines).encode() + b"\n"

    mine, other = _pairs(ours, theirs)
    ratio = other / mine
    yield Figure(
        "encode one line", "µs", mine * 1e6 / LINES, "influxdb-client Point", other * 1e6 / LINES,
        "at least 5 times as fast", ratio >= 5,
    )  # fmt: skip


def _pairs(first: Callable[[], bytes], second: Callable[[], bytes]) -> tuple[float, float]:
    """Median seconds of each, taken in turn so that a slow spell hits both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for function, taken in zip((first, second), times, strict=True):
            started = time.perf_counter()
            function()
            taken.append(time.perf_counter() - started)
    return median(times[0]), median(times[1])
