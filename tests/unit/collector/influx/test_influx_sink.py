"""The sink as the collector sees it, with nobody at the other end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodetide_collector.sinks.influx import InfluxConfig, InfluxSink
from nodetide_collector.sinks.influx.root import SpoolRoot
from nodetide_core.errors import StoreBusy
from nodetide_core.points import Point

NOW = 1_700_000_000
MakeSink = Callable[..., InfluxSink]


def point(time: int = NOW) -> Point:
    return Point("cpu", (("host", "a"),), {"usage_user": 1.0}, time)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeSink]:
    made: list[InfluxSink] = []
    nobody = socket.socket()
    nobody.bind(("127.0.0.1", 0))  # and does not listen: whoever connects is refused, and nobody else gets the port
    port = nobody.getsockname()[1]

    def make(folder: Path = tmp_path / "spool", **more: object) -> InfluxSink:
        config = InfluxConfig(
            f"http://127.0.0.1:{port}", "o", lambda: "t", "a", folder, **more  # type: ignore[arg-type]
        )  # fmt: skip
        made.append(InfluxSink(config))
        return made[-1]

    yield make
    for sink in made:
        sink.close()
    nobody.close()


def test_what_cannot_be_sent_is_left_for_the_next_one(make: MakeSink, caplog: pytest.LogCaptureFixture) -> None:
    sink = make()
    for second in range(10):
        sink.write("b", [point(NOW + second), point(NOW + second)])
    sink.write("b", [])
    assert sink.flush(0.05) == 20
    stats = sink.stats()
    assert (stats.written, stats.dropped) == (0, 0)
    assert stats.spool_bytes > 500 and stats.spool_oldest_s > 10**6
    sink.close()
    sink.close()
    assert "points are left in the spool, for the next start to send points=20" in caplog.text
    again = make()
    assert again.flush(0) == 20


def test_what_comes_after_close_is_counted(make: MakeSink, tmp_path: Path) -> None:
    sink = make()
    sink.close()
    sink.write("b", [point(), point()])
    assert sink.stats().dropped == 2
    assert not list((tmp_path / "spool").glob("*.spool"))


def test_a_bucket_that_nobody_writes_to_any_more_is_sent_too(make: MakeSink) -> None:
    sink = make()
    for bucket in ("..", "a/b", "ü b", "x.spool"):
        sink.write(bucket, [point()])
    sink.close()
    again = make()
    assert again.flush(0) == 4
    assert sorted(again._spools) == ["..", "a/b", "x.spool", "ü b"]


def test_a_second_process_is_refused_and_told_which_has_it(make: MakeSink, tmp_path: Path) -> None:
    make()
    code = (
        "import sys; from pathlib import Path; from nodetide_collector.sinks.influx.root import SpoolRoot\n"
        "SpoolRoot(Path(sys.argv[1])).lock()"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "spool"], capture_output=True, text=True, check=False
    )
    assert other.returncode == 1
    assert f"in use by process {os.getpid()}" in other.stderr and "NODETIDE_SPOOL_DIR" in other.stderr
    with pytest.raises(StoreBusy):
        make()


def test_the_directory_is_free_again_after_close(make: MakeSink, tmp_path: Path) -> None:
    make().close()
    root = SpoolRoot(tmp_path / "spool")
    root.lock()
    root.unlock()


def test_without_a_directory_points_are_kept_in_memory_and_counted_when_lost(make: MakeSink, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sink = make(tmp_path / "file" / "spool")
    sink.write("b", [point()])
    assert sink.flush(0.05) == 1
    sink.close()
    assert sink.stats().dropped == 1


def test_a_directory_taken_over_by_another_while_it_was_out_of_order(make: MakeSink, tmp_path: Path) -> None:
    blocked = tmp_path / "dir"
    blocked.write_text("")
    sink = make(blocked / "spool")
    blocked.unlink()
    other = SpoolRoot(blocked / "spool")
    other.lock()
    sink.write("b", [point()])
    assert sink.flush(0) == 1
    other.unlock()


def test_importing_the_collector_does_not_import_tls() -> None:
    code = (
        "import sys, nodetide_collector.collector, nodetide_collector.sinks.lines\n"
        "assert 'nodetide_collector.sinks.influx' not in sys.modules\n"
        "assert 'nodetide_core.stores.influx.http' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
