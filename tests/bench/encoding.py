"""Line protocol encoding of real passes, beside influxdb-client's Point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from influxdb_client import Point as ClientPoint
from influxdb_client import WritePrecision
from tests.bench.collecting import Passes
from tests.bench.figures import Figure, median

from nodetide_core.lineprotocol import Encoder

PASSES, ROUNDS = 40, 15


def measure() -> Iterator[Figure]:
    passes = Passes()
    try:
        passes.take()
        points = []
        for _ in range(PASSES):
            time.sleep(0.05)  # else the CPU's counters stand still and there is no usage to encode
            points += passes.take()
    finally:
        passes.close()
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
    ratio, lines = other / mine, len(points)
    yield Figure(
        "encode one line of a real pass", "µs", mine * 1e6 / lines, "influxdb-client Point", other * 1e6 / lines,
        "at least 5 times as fast", ratio >= 5,
    )  # fmt: skip


def _pairs(first: Callable[[], bytes], second: Callable[[], bytes]) -> tuple[float, float]:
    """Median seconds of each, taken in turn so that a slow spell hits both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for function, taken in zip((first, second), times, strict=True):
            started = time.process_time()
            function()
            taken.append(time.process_time() - started)
    return median(times[0]), median(times[1])
