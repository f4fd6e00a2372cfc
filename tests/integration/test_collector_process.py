"""The collector as a process of its own, with the real probes, clock and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nodetide_core.lineprotocol import parse
from nodetide_core.points import Point, tag

PRELUDE = """
import json, logging, signal, sys, time
from pathlib import Path
from nodetide_collector.collector import Collector, CollectorConfig
from nodetide_collector.sinks.lines import LinesSink, open_lines
from nodetide_collector.sinks.store import StoreSink
from nodetide_core.lineprotocol import encode
from nodetide_core.store import WriteReport
logging.basicConfig(level="INFO", stream=sys.stderr)

def serve(sink, **config):
    collector = Collector(CollectorConfig("node-1", **config), sink)
    signal.signal(signal.SIGTERM, lambda *_: collector.stop())
    print("ready", file=sys.stderr, flush=True)
    collector.run()
"""

LONG = 120  # seconds; only a hang reaches it
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Runs a script after the prelude; returns once the collector is about to run."""
    running: list[subprocess.Popen[bytes]] = []

    def go(script: str, *arguments: object, stdout: Any = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        log = tmp_path / "log"
        with log.open("wb") as stderr:
            command = [sys.executable, "-c", PRELUDE + script, *map(str, arguments)]
            process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
        running.append(process)
        until(lambda: b"ready" in log.read_bytes(), process)
        return process

    yield go
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def until(condition: Callable[[], Any], process: subprocess.Popen[bytes]) -> None:
    while not condition():
        assert process.poll() is None, "the collector ended by itself"
        time.sleep(0.01)


def points(path: Path) -> list[Point]:
    text = path.read_text() if path.exists() else ""
    return list(parse(text[: text.rfind("\n") + 1]))


def seconds(found: list[Point], measurement: str) -> list[int]:
    return sorted({point.time for point in found if point.measurement == measurement})


def test_a_second_is_a_second_and_sigterm_ends_it_cleanly(start: Start, tmp_path: Path) -> None:
    out = tmp_path / "out.lp"
    process = start("serve(open_lines(Path(sys.argv[1])))", out)
    until(lambda: len(seconds(points(out), "mem")) >= 3, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(LONG) == 0
    found = points(out)
    assert out.read_text().endswith("\n")
    assert {tag(point.tags, "host") for point in found} == {"node-1"}
    # Seconds that this busy machine made the process miss are said by the process itself.
    times = seconds(found, "mem")
    missed = [p.fields["ticks_missed"] for p in found if tag(p.tags, "group") == "all"][-1]
    assert times[-1] - times[0] + 1 - len(times) == missed
    totals = [p.fields for p in found if p.measurement == "cpu" and tag(p.tags, "cpu") == "cpu-total"]
    assert ["usage_active" in fields for fields in totals] == [False] + [True] * (len(totals) - 1)
    assert b"collector ended" in (tmp_path / "log").read_bytes()


def test_sigterm_flushes_a_slow_store(start: Start, tmp_path: Path) -> None:
    out = tmp_path / "out.lp"
    process = start(
        """
class Slow:
    def write(self, bucket, points):
        time.sleep(0.7)
        with open(sys.argv[1], "ab") as file:
            file.write(encode(points))
        return WriteReport(len(points))
serve(StoreSink(Slow()), flush_timeout=60)
""",
        out,
    )
    until(lambda: points(out), process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(LONG) == 0
    log = (tmp_path / "log").read_text()
    assert f"points_written={len(points(out))} points_dropped=0" in log
    assert "lost" not in log


def test_sigterm_says_what_an_absent_store_cost(start: Start, tmp_path: Path) -> None:
    process = start(
        """
from nodetide_core.errors import StoreUnavailable
class Absent:
    def write(self, bucket, points):
        Path(sys.argv[1]).touch()
        raise StoreUnavailable("connection refused", retry_after=0.0)
serve(StoreSink(Absent()), flush_timeout=0.2)
""",
        tmp_path / "asked",
    )
    until((tmp_path / "asked").exists, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(LONG) == 0
    log = (tmp_path / "log").read_text()
    assert "connection refused" in log
    assert "points lost at the end points=" in log
    assert "points_written=0" in log


def test_standard_output_takes_lines_and_a_reader_that_leaves_is_survived(start: Start, tmp_path: Path) -> None:
    process = start("serve(LinesSink(1))", stdout=subprocess.PIPE)
    assert process.stdout is not None
    first = next(parse(process.stdout.readline().decode()))
    assert tag(first.tags, "host") == "node-1"
    process.stdout.close()
    until(lambda: b"Broken pipe" in (tmp_path / "log").read_bytes(), process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(LONG) == 0
    assert b"points lost at the end" in (tmp_path / "log").read_bytes()


def test_once_writes_nothing_and_knows_usage() -> None:
    script = "for p in Collector(CollectorConfig('n'), LinesSink(1)).once(0.2): sys.stdout.buffer.write(encode([p]))"
    done = subprocess.run([sys.executable, "-c", PRELUDE + script], capture_output=True, check=True, timeout=LONG)
    found = list(parse(done.stdout.decode()))
    (total,) = [point for point in found if tag(point.tags, "cpu") == "cpu-total" and point.measurement == "cpu"]
    assert "usage_active" in total.fields
    assert len({(point.measurement, point.tags) for point in found}) == len(found)


def test_nothing_heavy_is_imported() -> None:
    heavy = ("asyncio", "http", "ssl", "prometheus_client", "yaml", "urllib.request", "psutil")
    script = f"Collector(CollectorConfig('n'), LinesSink(1)).once(0)\nprint([m for m in {heavy} if m in sys.modules])"
    if sys.platform != "linux":
        pytest.skip("psutil serves instead of the kernel's files here")
    done = subprocess.run([sys.executable, "-c", PRELUDE + script], capture_output=True, check=True, timeout=LONG)
    assert done.stdout.decode().strip() == "[]", os.fsdecode(done.stdout)
