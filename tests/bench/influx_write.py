"""Writing to the real influxd, one writer: beside bare posts of lines encoded before, and influxdb-client."""

from __future__ import annotations

import http.client
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from influxdb_client import InfluxDBClient, WriteOptions, WritePrecision
from influxdb_client import Point as ClientPoint
from servers import InfluxServer, influxd
from tests.bench.figures import Figure, median

from nodetide_collector.sinks.influx import InfluxConfig, InfluxSink
from nodetide_core.lineprotocol import encode
from nodetide_core.points import Point, make_tags

LINES, BATCHES, ROUNDS = 5_000, 20, 5
FIELDS = 5

#: As a stream hands them out: the same tuple for a series every time.
_TAGS = [make_tags({"cpu": f"cpu{i % 64}", "host": f"node-{i // 64}", "cluster": "prod"}) for i in range(512)]


def measure() -> Iterator[Figure]:
    ways: dict[str, Callable[[InfluxServer, Path, Sequence[Sequence[Point]]], float]] = {
        "sink": _sink,
        "bare": _bare,
        "client": _client,
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder, influxd(Path(folder)) as server:
        start = 1_763_884_800
        _bare(server, Path(folder), _batches(start))  # series and shards are made here, for all alike
        for number in range(ROUNDS):
            for name, way in ways.items():
                start += LINES * BATCHES // len(_TAGS) + 1  # new points every time: overwriting would be slower
                seconds = way(server, Path(folder) / f"spool-{number}", _batches(start))
                rates[name].append(LINES * BATCHES / seconds)
    ours, bare, client = (median(rates[name]) for name in ("sink", "bare", "client"))
    yield Figure(
        "lines written to influxd", "/s", ours, "bare posts of encoded lines", bare,
        "at least 0.8 of bare", ours >= 0.8 * bare,
    )  # fmt: skip
    yield Figure(
        "lines written to influxd", "/s", ours, "influxdb-client WriteApi with Points", client,
        "at least 2.5 times", ours >= 2.5 * client,
    )  # fmt: skip
    yield Figure("fields written to influxd", "/s", ours * FIELDS)


def _batches(start: int) -> list[list[Point]]:
    return [_points(start + number * LINES // len(_TAGS), number) for number in range(BATCHES)]


def _points(start: int, number: int) -> list[Point]:
    return [
        Point(
            "cpu",
            _TAGS[index % len(_TAGS)],
            {
                "usage_user": 12.5 + index / 7,
                "usage_system": 3.25,
                "usage_idle": 84.0 - index / 11,
                "time_user": 123456.78 + index,
                "time_idle": 99999.5 + number,
            },
            start + index // len(_TAGS),
        )
        for index in range(LINES)
    ]


def _sink(server: InfluxServer, spool: Path, batches: Sequence[Sequence[Point]]) -> float:
    config = InfluxConfig(url=server.url, org=server.org, token=lambda: server.token, host="bench", spool_dir=spool)
    sink = InfluxSink(config)
    started = time.perf_counter()
    try:
        for points in batches:
            sink.write(server.bucket, points)
        left = sink.flush(60)
        taken = time.perf_counter() - started
    finally:
        sink.close()
    if left or sink.stats().written != LINES * len(batches):
        raise RuntimeError(f"not all was written: {left} left, {sink.stats()}")
    return taken


def _bare(server: InfluxServer, _: Path, batches: Sequence[Sequence[Point]]) -> float:
    bodies = [encode(points) for points in batches]
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    path = f"/api/v2/write?org={server.org}&bucket={server.bucket}&precision=s"
    for body in bodies:
        connection.request("POST", path, body, {"Authorization": f"Token {server.token}"})
        answer = connection.getresponse()
        if answer.read() or answer.status != 204:
            raise RuntimeError(f"influxd answered {answer.status}")
    connection.close()
    return time.perf_counter() - started


def _client(server: InfluxServer, _: Path, batches: Sequence[Sequence[Point]]) -> float:
    started = time.perf_counter()
    with (
        InfluxDBClient(server.url, server.token, org=server.org) as client,
        client.write_api(WriteOptions(batch_size=LINES, flush_interval=1_000)) as api,
    ):
        for points in batches:
            made = [_client_point(point) for point in points]
            api.write(server.bucket, record=made, write_precision=WritePrecision.S)
    return time.perf_counter() - started


def _client_point(point: Point) -> ClientPoint:
    made = ClientPoint(point.measurement).time(point.time, WritePrecision.S)
    for key, value in point.tags:
        made.tag(key, value)
    for name, field in point.fields.items():
        made.field(name, field)
    return made
