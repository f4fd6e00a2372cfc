"""Through every fault of the server, or on the way to it, every second gets there exactly once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import InfluxServer, influxd

from nodetide_collector.sinks.influx import InfluxSink
from nodetide_core.points import Point, make_tags

pytestmark = pytest.mark.peer

MakeSink = Callable[..., InfluxSink]
Second = Callable[[int], list[Point]]
SecondsHeld = Callable[[InfluxServer, str], list[int]]
QUARTER_OF_AN_HOUR = 900


def test_influxd_stopped_for_a_quarter_of_an_hour(
    server: InfluxServer, bucket: str, make_sink: MakeSink, second: Second, seconds_held: SecondsHeld
) -> None:
    sink = make_sink(server)
    for number in range(QUARTER_OF_AN_HOUR + 20):
        if number == 10:
            server.stop()
        sink.write(bucket, second(number))
    assert sink.stats().written <= 20
    server.start()
    assert sink.flush(180) == 0
    assert seconds_held(server, bucket) == list(range(QUARTER_OF_AN_HOUR + 20))
    assert (sink.stats().written, sink.stats().dropped) == (2 * (QUARTER_OF_AN_HOUR + 20), 0)


def test_influxd_killed_in_mid_write(
    server: InfluxServer, bucket: str, make_sink: MakeSink, second: Second, seconds_held: SecondsHeld
) -> None:
    sink = make_sink(server, flush_interval=0.01, max_lines=40)
    number = 0
    for _ in range(4):
        for _ in range(300):
            sink.write(bucket, second(number))
            number += 1
        server.kill()
        for _ in range(30):
            sink.write(bucket, second(number))
            number += 1
        server.start()
    assert sink.flush(180) == 0
    assert seconds_held(server, bucket) == list(range(number))
    assert sink.stats().dropped == 0


@pytest.mark.parametrize(
    ("fault", "more"),
    [
        ("answer", {"status": 500}),
        ("answer", {"status": 503}),
        ("answer", {"status": 503, "headers": "Retry-After: 1\r\n"}),
        ("answer", {"status": 429, "headers": "Retry-After: 1\r\n"}),
        ("answer", {"status": 400}),
        ("hang", {}),
        ("cut request", {}),
        ("cut answer", {}),
    ],
    ids=str,
)
def test_faults_on_the_way(
    server: InfluxServer,
    bucket: str,
    proxy: Any,
    make_sink: MakeSink,
    second: Second,
    seconds_held: SecondsHeld,
    fault: str,
    more: dict[str, Any],
) -> None:
    sink = make_sink(server, url=proxy.url, timeout=3.0)
    for number in range(600):
        if number == 200:
            assert sink.flush(180) == 0
            proxy.fail(fault, **more)
        if number == 400:
            deadline = time.monotonic() + 180
            while proxy.faults < 2:
                assert time.monotonic() < deadline, proxy.faults
                sink.flush(0.5)
            proxy.work()
        sink.write(bucket, second(number))
    assert sink.flush(180) == 0
    assert seconds_held(server, bucket) == list(range(600))
    assert (sink.stats().written, sink.stats().dropped) == (1200, 0)


def test_influxd_hangs(
    server: InfluxServer, bucket: str, make_sink: MakeSink, second: Second, seconds_held: SecondsHeld
) -> None:
    """As a stopped process does: the kernel takes connections, and nobody answers."""
    sink = make_sink(server, timeout=3.0)
    server.pause()
    try:
        for number in range(200):
            sink.write(bucket, second(number))
        assert sink.flush(2) == 400
    finally:
        server.resume()
    assert sink.flush(180) == 0
    assert seconds_held(server, bucket) == list(range(200))


def test_disk_full_at_the_server(
    needs_parts: Callable[..., None],
    small_disk: Callable[[str], Path],
    make_bucket: Callable[[InfluxServer], str],
    make_sink: MakeSink,
    second: Second,
    seconds_held: SecondsHeld,
    told: Callable[..., None],
) -> None:
    needs_parts("influxd")
    disk = small_disk("256m")
    with influxd(disk / "server") as server:
        bucket = make_bucket(server)
        sink = make_sink(server)
        for number in range(100):
            sink.write(bucket, second(number))
        assert sink.flush(180) == 0
        ballast = disk / "ballast"
        ballast.touch()
        with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)
        for number in range(100, 200):
            sink.write(bucket, second(number))
        told(sink, "no space left on device")
        assert sink.flush(0.5) > 0
        ballast.unlink()
        server.restart()  # seen: influxd 2.7.12 goes on refusing what needs its log file until it is restarted
        for number in range(200, 300):
            sink.write(bucket, second(number))
        assert sink.flush(180) == 0
        assert seconds_held(server, bucket) == list(range(300))
        assert (sink.stats().written, sink.stats().dropped) == (600, 0)
        sink.close()


def test_lines_that_influxd_refuses_hold_up_no_others(
    server: InfluxServer,
    bucket: str,
    make_sink: MakeSink,
    second: Second,
    seconds_held: SecondsHeld,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = make_sink(server)
    tags = make_tags({"host": "node-1"})
    sink.write(bucket, second(0))
    assert sink.flush(180) == 0
    for number in range(1, 300):
        points = second(number)
        if number % 50 == 0:  # a tag that is reserved: InfluxDB takes nothing of the request
            points.insert(1, Point("mem", make_tags({"host": "node-1", "time": "x"}), {"used": 1}, points[0].time))
        if number % 70 == 0:  # another type than before: InfluxDB takes the rest
            points.insert(0, Point("mem", tags, {"used_": 1}, points[0].time))
            points.insert(0, Point("mem", tags, {"used_": "text"}, points[0].time))
        sink.write(bucket, points)
    assert sink.flush(180) == 0
    server.call(
        "POST",
        f"/api/v2/delete?org={server.org}&bucket={bucket}",
        {"start": "1970-01-01T00:00:00Z", "stop": "2030-01-01T00:00:00Z", "predicate": '_measurement="nothing"'},
    )
    stats = sink.stats()
    assert (stats.written, stats.dropped) == (600 + 4, 5 + 4)
    assert 'reserved tag key \\"time\\"' in caplog.text or 'reserved tag key "time"' in caplog.text
    assert "field type conflict" in caplog.text


def test_points_beyond_the_retention_are_counted(
    server: InfluxServer, make_sink: MakeSink, second: Second, caplog: pytest.LogCaptureFixture
) -> None:
    name = "short"
    rules = [{"type": "expire", "everySeconds": 3600}]
    server.call("POST", "/api/v2/buckets", {"orgID": server.org_id, "name": name, "retentionRules": rules})
    sink = make_sink(server)
    now = int(time.time())
    sink.write(name, [*second(0), Point("mem", make_tags({"host": "node-1"}), {"used": 1}, now)])
    assert sink.flush(180) == 0
    assert (sink.stats().written, sink.stats().dropped) == (1, 2)
    assert "outside retention policy" in caplog.text
