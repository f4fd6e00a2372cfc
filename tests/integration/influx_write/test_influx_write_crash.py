"""Through whatever happens to the collector, every second that was sampled gets there exactly once, or is counted."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from servers import InfluxServer

from nodetide_collector.collector import Collector, CollectorConfig
from nodetide_collector.sinks.influx import InfluxSink
from nodetide_collector.sinks.sink import SinkStats
from nodetide_core.points import Point
from nodetide_core.stores.influx.token import token_file

pytestmark = pytest.mark.peer

MakeSink = Callable[..., InfluxSink]
Second = Callable[[int], list[Point]]
SecondsHeld = Callable[[InfluxServer, str], list[int]]


class Writers:
    """Runs of the collector, one after the other, on one spool."""

    def __init__(self, server: InfluxServer, bucket: str, folder: Path) -> None:
        self.token = folder / "token"
        self.token.write_text(server.token)
        self.errors = folder / "errors"
        self._arguments = [server.url, server.org, bucket, str(self.token), str(folder / "spool")]
        self.taken = -1

    def run(self, count: int, *, then: signal.Signals | None) -> dict[str, Any]:
        """Take seconds on from the last one taken; after ``count`` of them a signal, or else an end in order."""
        first = self.taken + 1
        code = [sys.executable, str(Path(__file__).with_name("writer.py")), *self._arguments, str(first)]
        with self.errors.open("ab") as errors:
            child = subprocess.Popen(
                [*code, str(10**6 if then else count)], stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert child.stdout is not None
        last = "{}"
        with child:
            for line in child.stdout:
                if line.startswith("{"):
                    last = line
                    continue
                self.taken = int(line)
                if then and self.taken == first + count - 1:
                    child.send_signal(then)
        assert child.returncode == (-signal.SIGKILL if then is signal.SIGKILL else 0), self.errors.read_text()
        stats: dict[str, Any] = json.loads(last)
        return stats


def stretches(seconds: list[int]) -> int:
    """How many there are without a gap: one of the newest, and what was on its way when its file was dropped."""
    return 1 + sum(after != before + 1 for before, after in itertools.pairwise(seconds))


@pytest.fixture
def writers(server: InfluxServer, bucket: str, tmp_path: Path) -> Writers:
    return Writers(server, bucket, tmp_path)


def test_killed_and_restarted_during_an_outage(
    server: InfluxServer, bucket: str, writers: Writers, seconds_held: SecondsHeld
) -> None:
    writers.run(50, then=signal.SIGKILL)
    server.stop()
    for count in (200, 1, 7, 300, 150):
        writers.run(count, then=signal.SIGKILL)
    server.start()
    writers.run(100, then=signal.SIGKILL)
    stats = writers.run(100, then=None)
    # What was in the pipe when the process was killed is not in `taken`, but was taken all the same.
    assert seconds_held(server, bucket) == list(range(writers.taken + 1))
    assert (stats["spool_bytes"], stats["dropped"]) == (0, 0)


def test_killed_again_and_again_while_writing(
    server: InfluxServer, bucket: str, writers: Writers, seconds_held: SecondsHeld
) -> None:
    chance = random.Random(4)
    for _ in range(12):
        writers.run(chance.randrange(1, 120), then=signal.SIGKILL)
    writers.run(1, then=None)
    assert seconds_held(server, bucket) == list(range(writers.taken + 1))


def test_ended_in_order_during_an_outage(
    server: InfluxServer, bucket: str, writers: Writers, seconds_held: SecondsHeld
) -> None:
    server.stop()
    stats = writers.run(100, then=signal.SIGTERM)
    assert (stats["written"], stats["dropped"]) == (0, 0)
    assert "points are left in the spool, for the next start to send" in writers.errors.read_text()
    server.start()
    assert writers.run(1, then=None)["spool_bytes"] == 0
    assert seconds_held(server, bucket) == list(range(writers.taken + 1))


def test_token_rotated_during_an_outage_and_the_old_one_revoked(
    server: InfluxServer, bucket: str, make_sink: MakeSink, second: Second, seconds_held: SecondsHeld, tmp_path: Path,
    caplog: pytest.LogCaptureFixture, told: Callable[..., None],
) -> None:  # fmt: skip
    bucket_id = server.call("GET", f"/api/v2/buckets?name={bucket}")["buckets"][0]["id"]
    permission = {"action": "write", "resource": {"type": "buckets", "id": bucket_id, "orgID": server.org_id}}
    wanted = {"orgID": server.org_id, "permissions": [permission]}
    old, new = (server.call("POST", "/api/v2/authorizations", wanted) for _ in range(2))
    file = tmp_path / "token"
    file.write_text(old["token"])
    sink = make_sink(server, token=token_file(file))
    for number in range(100):
        sink.write(bucket, second(number))
    assert sink.flush(180) == 0
    server.call("DELETE", f"/api/v2/authorizations/{old['id']}")
    server.stop()
    for number in range(100, 200):
        sink.write(bucket, second(number))
    server.start()
    told(sink, "check INFLUXDB_TOKEN")
    assert sink.flush(0.5) == 200
    file.write_text(new["token"])
    for number in range(200, 300):
        sink.write(bucket, second(number))
    assert sink.flush(180) == 0
    assert seconds_held(server, bucket) == list(range(300))
    assert sink.stats().dropped == 0
    assert old["token"] not in caplog.text and new["token"] not in caplog.text


def test_bucket_made_after_the_collector_started(
    server: InfluxServer, make_sink: MakeSink, second: Second, seconds_held: SecondsHeld,
    told: Callable[..., None],
) -> None:  # fmt: skip
    name = "made-later"
    sink = make_sink(server)
    for number in range(100):
        sink.write(name, second(number))
    told(sink, f"bucket '{name}' does not exist in organization '{server.org}': create it")
    assert sink.flush(0.5) == 200
    server.call("POST", "/api/v2/buckets", {"orgID": server.org_id, "name": name, "retentionRules": []})
    assert sink.flush(180) == 0
    assert seconds_held(server, name) == list(range(100))


def test_wrong_organization_and_a_token_that_may_only_read(
    server: InfluxServer, bucket: str, make_sink: MakeSink, second: Second, caplog: pytest.LogCaptureFixture,
    tmp_path: Path, told: Callable[..., None],
) -> None:  # fmt: skip
    permission = {"action": "read", "resource": {"type": "buckets", "orgID": server.org_id}}
    wanted = {"orgID": server.org_id, "permissions": [permission]}
    reader = server.call("POST", "/api/v2/authorizations", wanted)["token"]
    for number, (changes, said) in enumerate(
        [
            ({"org": "nobody"}, "organization 'nobody' does not exist, or the token is of another: check INFLUXDB_ORG"),
            ({"org": ""}, "INFLUXDB_ORG"),
            ({"token": lambda: reader}, f"the token may not write to bucket '{bucket}'"),
            ({"token": lambda: ""}, "check INFLUXDB_TOKEN"),
        ]
    ):
        sink = make_sink(server, spool_dir=tmp_path / f"spool-{number}", **changes)
        sink.write(bucket, second(0))
        told(sink, said)
        assert sink.flush(0.5) == 2
        assert sink.stats().dropped == 0
        caplog.clear()


def test_spool_corrupted_in_the_middle(
    server: InfluxServer, bucket: str, make_sink: MakeSink, second: Second, seconds_held: SecondsHeld, tmp_path: Path
) -> None:
    server.stop()
    sink = make_sink(server)
    for number in range(900):
        sink.write(bucket, second(number))
    sink.close()
    (file,) = (tmp_path / "spool").rglob("*.seg")
    data = bytearray(file.read_bytes())
    chance = random.Random(1)
    for _ in range(5):
        data[chance.randrange(len(data))] ^= 0xFF
    data[len(data) // 2 : len(data) // 2 + 4096] = os.urandom(4096)
    file.write_bytes(data)
    server.start()
    again = make_sink(server)
    for number in range(900, 1000):
        again.write(bucket, second(number))
    assert again.flush(180) == 0
    held = seconds_held(server, bucket)
    stats = again.stats()
    assert held == sorted(set(held)) and held[0] == 0 and held[-100:] == list(range(900, 1000))
    assert 10 <= 1000 - len(held) <= 60
    assert stats.dropped == 2 * (1000 - len(held))
    assert stats.written == 2 * len(held)
    assert len(list((tmp_path / "spool").rglob("*.corrupt"))) == 1


def test_spool_directory_full_and_then_not(
    server: InfluxServer, bucket: str, small_disk: Callable[[str], Path], make_sink: MakeSink, second: Second,
    seconds_held: SecondsHeld, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    disk = small_disk("128k")
    ballast = disk / "ballast"
    ballast.write_bytes(b"\0" * 100_000)
    server.stop()
    sink = make_sink(server, spool_dir=disk / "spool")
    for number in range(400):
        sink.write(bucket, second(number))
    assert "cannot be written to disk" in caplog.text and "No space left on device" in caplog.text
    assert sink.stats().dropped == 0
    ballast.unlink()
    sink.close()  # what was in memory goes to the disk
    assert sink.stats().dropped == 0
    again = make_sink(server, spool_dir=disk / "spool")
    for number in range(400, 500):
        again.write(bucket, second(number))
    server.start()
    assert again.flush(180) == 0
    assert seconds_held(server, bucket) == list(range(500))
    again.close()


def test_spool_directory_full_for_good(
    server: InfluxServer, bucket: str, small_disk: Callable[[str], Path], make_sink: MakeSink, second: Second,
    seconds_held: SecondsHeld,
) -> None:  # fmt: skip
    disk = small_disk("128k")
    server.stop()
    sink = make_sink(server, spool_dir=disk / "spool", memory_max_bytes=20_000, spool_max_bytes=160_000)
    for number in range(2_000):
        sink.write(bucket, second(number))
    server.start()
    assert sink.flush(180) == 0
    held = seconds_held(server, bucket)
    stats = sink.stats()
    assert 300 < len(held) < 2_000
    assert held[-1] == 1_999 and stretches(held) <= 2
    assert (stats.written, stats.dropped) == (2 * len(held), 2 * (2_000 - len(held)))
    sink.close()


def test_an_outage_beyond_the_bound_loses_the_oldest_and_says_how_many(
    server: InfluxServer, bucket: str, make_sink: MakeSink, second: Second, seconds_held: SecondsHeld, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    server.stop()
    sink = make_sink(server, spool_max_bytes=50_000)
    for number in range(900):
        sink.write(bucket, second(number))
        assert sum(path.stat().st_size for path in (tmp_path / "spool").rglob("*.seg")) <= 50_000
    server.start()
    assert sink.flush(180) == 0
    held = seconds_held(server, bucket)
    stats = sink.stats()
    assert 200 < len(held) < 900
    assert held[-1] == 899 and stretches(held) <= 2
    assert stats.written == 2 * len(held)
    assert stats.dropped == 2 * (900 - len(held))
    assert "the spool is full, dropping the oldest lines" in caplog.text


POLICY = """\
apiVersion: nodetide.io/v1alpha1
kind: MetricPolicy
metadata: {{name: reloaded}}
spec:
  collection: {{interval: 1s, groups: {{mem: {{}}}}, labels: {{version: "{version}"}}}}
  storage: {{bucket: {bucket}}}
"""


def test_policy_reloaded_during_an_outage(
    server: InfluxServer, make_bucket: Callable[[InfluxServer], str], make_sink: MakeSink, tmp_path: Path,
    ask: Callable[[InfluxServer, str, str], list[dict[str, Any]]],
) -> None:  # fmt: skip
    """In real time: every second that was sampled is in the bucket that the policy named then, and only there."""
    buckets = make_bucket(server), make_bucket(server)
    policies = tmp_path / "policies"
    policies.mkdir()
    file = policies / "policy.yaml"
    file.write_text(POLICY.format(version=0, bucket=buckets[0]))
    sink = make_sink(server)
    server.stop()
    taken: list[tuple[str, int]] = []
    collector = Collector(CollectorConfig("node-1", policies=policies), _Recorder(sink, taken))
    thread = threading.Thread(target=collector.run)
    thread.start()
    try:
        for version, bucket in ((1, buckets[1]), (2, buckets[0])):
            _two_more(taken)
            file.write_text(POLICY.format(version=version, bucket=bucket))
            _until(lambda bucket=bucket: taken[-1][0] == bucket)
        server.start()
        _two_more(taken)
    finally:
        collector.stop()
        thread.join()
    held = [
        (bucket, row["time"]) for bucket in buckets for row in ask(server, bucket, "SELECT free FROM mem")
    ]  # fmt: skip
    assert sorted(held) == sorted(taken)
    assert len({time_ for _, time_ in held}) == len(held)


class _Recorder:
    """Notes, beside writing, which second of which bucket was sampled."""

    def __init__(self, inner: InfluxSink, taken: list[tuple[str, int]]) -> None:
        self._inner = inner
        self._taken = taken

    def write(self, bucket: str, points: Sequence[Point]) -> None:
        self._inner.write(bucket, points)
        self._taken += [(bucket, point.time) for point in points if point.measurement == "mem"]

    def flush(self, timeout: float) -> int:
        return self._inner.flush(180)

    def close(self) -> None:
        self._inner.close()

    def stats(self) -> SinkStats:
        return self._inner.stats()


def _two_more(taken: Sequence[object]) -> None:
    seen = len(taken)
    _until(lambda: len(taken) >= seen + 2)


def _until(look: Callable[[], bool]) -> None:
    """The test's time limit ends the wait."""
    while not look():
        time.sleep(0.02)
