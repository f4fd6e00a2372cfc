"""The sender, one step at a time, on simulated time."""

from __future__ import annotations

import gzip
import logging
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from nodetide_collector.sinks.influx.frames import Batch
from nodetide_collector.sinks.influx.reading import Limits
from nodetide_collector.sinks.influx.segments import SegmentLog
from nodetide_collector.sinks.influx.sender import Sender, Times
from nodetide_collector.sinks.influx.spool import Spool
from nodetide_core.backoff import Backoff
from nodetide_core.stores.influx.http import Reply

MakeReply = Callable[..., Reply]
MakeBatch = Callable[..., Batch]
Names = Callable[[Sequence[bytes]], list[str]]


class Influx(Protocol):
    answers: list[Reply | str]
    lines: list[bytes]
    requests: list[tuple[str, dict[str, str], bytes]]

    def __call__(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply: ...


class Time(Protocol):
    now: float

    def monotonic(self) -> float: ...

    def wall(self) -> float: ...


class Rig:
    """A sender with its spools, and time that passes as it asks for."""

    def __init__(self, folder: Path, influx: Influx, time: Time) -> None:
        self.folder = folder
        self.influx = influx
        self.time = time
        self.token = "first"
        self.limits = Limits(10, 10**6)
        self.sender = Sender(
            influx,
            lambda: self.token,
            org="o",
            where="InfluxDB at http://influx:8086",
            host="node-1",
            flush_interval=5.0,
            limits=self.limits,
            times=Times(time.monotonic, time.wall, lambda: 0.5),
            backoff=Backoff(least=0.25, first=1.0, longest=30.0),
        )
        self.spools: dict[str, Spool] = {}

    def put(self, bucket: str, batch: Batch) -> None:
        if bucket not in self.spools:
            folder = self.folder / bucket
            self.spools[bucket] = Spool(
                bucket, lambda: SegmentLog(folder), max_bytes=10**6, memory_bytes=10**6, monotonic=self.time.monotonic
            )
            self.sender.add(bucket, self.spools[bucket])
        self.spools[bucket].put(batch)

    def run(self, seconds: float) -> None:
        """Steps, and the waits between them, for so long."""
        end = self.time.now + seconds
        for _ in range(100_000):
            wait = self.sender.step()
            if self.time.now + wait >= end:
                self.time.now = end
                return
            self.time.now += wait
        raise AssertionError("it never waits")

    @property
    def held(self) -> int:
        return sum(spool.lines for spool in self.spools.values())


@pytest.fixture
def rig(tmp_path: Path, influx: Influx, fake_time: Time) -> Rig:
    return Rig(tmp_path, influx, fake_time)


def test_points_are_sent_once_an_interval_together(rig: Rig, batch: MakeBatch, names: Names) -> None:
    rig.run(30)
    for second in range(60):
        rig.put("b", batch([f"{second}"]))
        rig.run(1)
    rig.run(6)
    assert names(rig.influx.lines) == [str(second) for second in range(60)]
    assert 12 <= len(rig.influx.requests) <= 14
    path, headers, _ = rig.influx.requests[0]
    assert path == "/api/v2/write?org=o&bucket=b&precision=s"
    assert headers["Authorization"] == "Token first"
    assert headers["Content-Encoding"] == "gzip"
    assert rig.sender.written == 60


def test_a_full_request_does_not_wait_for_the_interval(rig: Rig, batch: MakeBatch) -> None:
    rig.put("b", batch(["x"]))
    rig.run(5.5)
    rig.put("b", batch([str(number) for number in range(10)]))
    assert rig.sender.step() == 0
    assert rig.sender.written == 11


def test_requests_keep_to_lines_and_hours(rig: Rig, batch: MakeBatch, names: Names, start: int) -> None:
    for number in range(25):
        rig.put("b", batch([f"{number}"], start + number * 200))
    rig.run(6)
    assert names(rig.influx.lines) == [str(number) for number in range(25)]
    assert len(rig.influx.requests) == 3  # 10 and 8 of the first hour, 7 of the second


def test_through_an_outage_all_is_kept_and_attempts_grow_rare(
    rig: Rig, batch: MakeBatch, names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rig.influx.answers = ["refused"] * 10_000
    for second in range(900):
        rig.put("b", batch([f"{second}"]))
        rig.run(1)
    attempts = len(rig.influx.requests)
    assert 50 <= attempts <= 90  # one per 15 s on average: half of the longest wait
    rig.influx.answers = []
    rig.run(60)
    assert names(rig.influx.lines) == [str(second) for second in range(900)]
    assert (rig.held, rig.sender.written, rig.sender.refused) == (0, 900, 0)
    assert [(record.levelname, "refused" in record.message) for record in caplog.records] == [
        ("ERROR", True),
        ("INFO", False),
    ]


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_kept_to(rig: Rig, batch: MakeBatch, reply: MakeReply, status: int) -> None:
    rig.put("b", batch(["x"]))
    rig.influx.answers = [reply(status, "unavailable", "no", retry_after="20")]
    rig.run(19)
    assert len(rig.influx.requests) == 1
    rig.run(3)
    assert rig.sender.written == 1


def test_a_bucket_that_is_missing_does_not_hold_up_another(
    rig: Rig, batch: MakeBatch, reply: MakeReply, names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    class Missing:
        def __call__(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
            if "bucket=gone&" in path:
                return reply(404, "not found", 'bucket "gone" not found')
            return inner(method, path, body, headers)

    inner = rig.influx
    rig.sender._post = Missing()
    for second in range(60):
        rig.put("gone", batch([f"g{second}"]))
        rig.put("there", batch([f"t{second}"]))
        rig.run(1)
    rig.run(6)
    assert names(inner.lines) == [f"t{second}" for second in range(60)]
    assert rig.held == 60
    assert len([record for record in caplog.records if "bucket 'gone' does not exist" in record.message]) == 1
    rig.sender._post = inner
    rig.run(60)
    assert names(inner.lines)[60:] == [f"g{second}" for second in range(60)]


def test_a_new_token_is_used_at_once(
    rig: Rig, batch: MakeBatch, reply: MakeReply, caplog: pytest.LogCaptureFixture
) -> None:
    rig.put("b", batch(["x"]))
    rig.influx.answers = [reply(401, "unauthorized", "unauthorized access")] * 60
    rig.run(300)
    refused = len(rig.influx.requests)
    assert 15 <= refused <= 30
    rig.influx.answers = []
    rig.token = "second"
    rig.run(2)
    assert rig.sender.written == 1
    assert rig.influx.requests[-1][1]["Authorization"] == "Token second"
    assert [record.message for record in caplog.records if "INFLUXDB_TOKEN" in record.message] == [
        "InfluxDB at http://influx:8086: the token is missing, wrong or revoked: check INFLUXDB_TOKEN "
        "(HTTP 401: unauthorized access); points are kept in the spool"
    ]
    assert "first" not in caplog.text


def test_another_thing_to_fix_is_told(
    rig: Rig, batch: MakeBatch, reply: MakeReply, caplog: pytest.LogCaptureFixture
) -> None:
    rig.put("b", batch(["x"]))
    missing, forbidden = reply(404, "not found", "bucket not found"), reply(403, "forbidden", "no")
    rig.influx.answers = [missing, missing, forbidden, forbidden]
    rig.run(60)
    assert ["create it" in record.message for record in caplog.records] == [True, False]


def test_refused_lines_are_counted_and_told_and_the_rest_gets_there(
    rig: Rig, batch: MakeBatch, reply: MakeReply, names: Names, caplog: pytest.LogCaptureFixture, start: int
) -> None:
    rig.put("b", batch(["a", "b", "c"]))
    rig.influx.answers = [reply(400, "invalid", f"unable to parse 'm,n=b v=1 {start}': is bad")]
    rig.run(6)
    assert names(rig.influx.lines) == ["a", "c"]
    assert (rig.sender.written, rig.sender.refused, rig.held) == (2, 1, 0)
    assert "is bad" in caplog.text and "m,n=b" in caplog.text


def test_points_that_a_partial_write_dropped_are_counted(rig: Rig, batch: MakeBatch, reply: MakeReply) -> None:
    rig.put("b", batch(["a", "b", "c"]))
    rig.influx.answers = [reply(422, "unprocessable entity", "partial write: too old dropped=2")]
    rig.run(6)
    assert (rig.sender.written, rig.sender.refused, rig.held, len(rig.influx.requests)) == (1, 2, 0, 1)


def test_a_request_that_is_too_large_makes_all_later_ones_smaller(rig: Rig, batch: MakeBatch, reply: MakeReply) -> None:
    chance = random.Random(1)
    for number in range(20):
        rig.put("b", batch([f"{number}-{chance.randbytes(4000).hex()}"]))
    rig.influx.answers = [reply(413)]
    rig.run(6)
    sizes = [len(body) for _, _, body in rig.influx.requests]
    assert rig.sender.written == 20
    assert max(sizes[1:]) <= sizes[0] * 0.6


def test_failures_over_one_bucket_do_not_slow_the_hunt_for_the_line(
    rig: Rig, batch: MakeBatch, reply: MakeReply
) -> None:
    failed = reply(500, "internal error", "panic")

    class Poisoned:
        def __call__(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
            answer = inner(method, path, body, headers)
            return failed if b"poison" in gzip.decompress(body) else answer

    inner = rig.influx
    rig.sender._post = Poisoned()
    rig.put("b", batch(["a", "b", "poison", "c"]))
    rig.run(120)
    assert (rig.sender.written, rig.sender.refused, rig.held) == (3, 1, 0)


def test_hurrying_neither_waits_for_the_interval_nor_long_after_a_failure(rig: Rig, batch: MakeBatch) -> None:
    rig.run(60)
    rig.influx.answers = ["refused"] * 8
    rig.put("b", batch(["x"]))
    rig.run(30)
    before = len(rig.influx.requests)
    rig.sender.hurry(True)
    assert rig.sender.step() == 0
    assert len(rig.influx.requests) == before + 1
    rig.run(10)
    assert rig.sender.written == 1
    rig.sender.hurry(False)


def test_what_was_damaged_is_let_go_of(rig: Rig, batch: MakeBatch) -> None:
    rig.put("b", batch(["x"]))
    (file,) = (rig.folder / "b").glob("*.seg")
    data = bytearray(file.read_bytes())
    data[-1] ^= 255
    file.write_bytes(data)
    rig.run(6)
    assert (rig.held, rig.spools["b"].dropped, rig.influx.requests) == (0, 1, [])


def test_a_load_that_the_disk_had_to_drop_is_still_sent_from_memory(rig: Rig, batch: MakeBatch, names: Names) -> None:
    rig.influx.answers = ["refused"] * 3
    rig.put("b", batch(["old"]))
    rig.run(1)
    files = rig.spools["b"]._log
    assert files is not None
    assert files.drop_oldest() == 0
    rig.put("b", batch(["new"]))
    rig.run(60)
    assert names(rig.influx.lines) == ["old", "new"]
    assert rig.spools["b"].dropped == 0
