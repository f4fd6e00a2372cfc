from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from nodetide_collector.sinks.store import StoreSink
from nodetide_core.backoff import Backoff
from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.points import Point
from nodetide_core.store import Rejected, RollupReport, Stream, WriteReport

QUICK = Backoff(least=0.001, first=0.002, longest=0.004)


class FakeStore:
    """Takes points as `answer` says, after `gate` lets it."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, list[Point]]] = []
        self.ensured: list[Sequence[Stream]] = []
        self.log: list[str] = []
        self.attempts = 0
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.answer: Callable[[Sequence[Point]], WriteReport] = lambda points: WriteReport(len(points))
        self.on_ensure: Callable[[], None] = lambda: None

    def ensure(self, streams: Sequence[Stream]) -> None:
        self.log.append("ensure")
        self.on_ensure()
        self.ensured.append(streams)

    def write(self, bucket: str, points: Sequence[Point]) -> WriteReport:
        self.attempts += 1
        self.entered.set()
        self.gate.wait()
        report = self.answer(points)
        self.log.append("write")
        self.taken.append((bucket, list(points)))
        return report

    def rollup(self, now: int) -> RollupReport:
        return RollupReport()

    def close(self) -> None:
        self.log.append("close")

    def times(self, bucket: str) -> list[int]:
        return [p.time for b, points in self.taken if b == bucket for p in points]


def unavailable(points: Sequence[Point]) -> WriteReport:
    raise StoreUnavailable("disk full", retry_after=0.0)


def ticks(*times: int) -> list[Point]:
    return [Point("mem", (), {"total": time}, time) for time in times]


@pytest.fixture
def store() -> Iterator[FakeStore]:
    made = FakeStore()
    yield made
    made.gate.set()


@pytest.fixture
def make(store: FakeStore) -> Iterator[Callable[..., StoreSink]]:
    sinks: list[StoreSink] = []

    def build(**options: Any) -> StoreSink:
        sinks.append(StoreSink(store, **{"backoff": QUICK, **options}))
        return sinks[-1]

    yield build
    store.gate.set()
    for sink in sinks:
        sink.close()


def eventually(condition: Callable[[], Any]) -> None:
    while not condition():
        time.sleep(0.001)


def test_points_arrive_in_order(make: Any, store: FakeStore) -> None:
    sink = make()
    for time_ in range(200):
        sink.write("ab"[time_ % 2], ticks(time_))
    assert sink.flush(60) == 0
    assert store.times("a") == list(range(0, 200, 2))
    assert store.times("b") == list(range(1, 200, 2))
    assert (sink.stats().written, sink.stats().dropped, sink.stats().spool_bytes) == (200, 0, 0)


def test_what_has_queued_up_is_one_write(make: Any, store: FakeStore) -> None:
    store.gate.clear()
    sink = make(batch=50)
    sink.write("a", ticks(0))
    store.entered.wait()
    for time_ in range(1, 121):
        sink.write("a", ticks(time_))
    sink.write("b", ticks(999))
    store.gate.set()
    assert sink.flush(60) == 0
    assert [(bucket, len(points)) for bucket, points in store.taken] == [
        ("a", 1), ("a", 50), ("a", 50), ("a", 20), ("b", 1),
    ]  # fmt: skip
    assert store.times("a") == list(range(121))


def test_a_store_that_hangs_keeps_nobody_waiting(make: Any, store: FakeStore) -> None:
    store.gate.clear()
    sink = make(limit=100)
    sink.write("a", ticks(0))
    store.entered.wait()
    for time_ in range(1, 1_000):
        sink.write("a", ticks(time_))
    stats = sink.stats()
    assert stats.dropped == 900
    assert stats.spool_bytes > 0
    assert stats.spool_oldest_s > 0
    store.gate.set()
    assert sink.flush(60) == 0
    stats = sink.stats()
    assert stats.written + stats.dropped == 1_000
    assert store.times("a") == [0, *range(901, 1_000)], "the oldest went, the newest stayed"


def test_an_absent_store_is_tried_again_until_it_is_back(
    make: Any, store: FakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store.answer = unavailable
    sink = make()
    for time_ in range(20):
        sink.write("a", ticks(time_))
    eventually(lambda: store.attempts >= 5)
    sink.write("b", ticks(77))
    assert sink.stats().written == 0
    store.answer = lambda points: WriteReport(len(points))
    assert sink.flush(60) == 0
    assert store.times("a") == list(range(20))
    assert store.times("b") == [77]
    assert (sink.stats().written, sink.stats().dropped) == (21, 0)
    eventually(lambda: len(caplog.records) >= 2)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "disk full" in caplog.text


def test_past_the_limit_the_oldest_go_and_it_is_said_once(
    make: Any, store: FakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.answer = unavailable
    store.gate.clear()
    sink = make(limit=10)
    sink.write("a", ticks(0))
    store.entered.wait()
    for time_ in range(1, 100):
        sink.write("a", ticks(time_))
    # What is in flight while it fails counts, too, and is put back in front.
    store.gate.set()
    eventually(lambda: store.attempts >= 3)
    store.answer = lambda points: WriteReport(len(points))
    assert sink.flush(60) == 0
    assert store.times("a") == [0, *range(91, 100)]
    assert sink.stats().dropped == 90
    assert len([record for record in caplog.records if "dropping the oldest" in record.message]) == 1


def test_what_the_store_refuses_is_counted_and_said_with_its_reasons(
    make: Any, store: FakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.answer = lambda points: WriteReport(len(points) - 1, (Rejected("too old", 1),))
    sink = make(batch=1)
    for time_ in range(5):
        sink.write("a", ticks(time_, time_))
    assert sink.flush(60) == 0
    assert (sink.stats().written, sink.stats().dropped) == (5, 5)
    assert len(caplog.records) == 1
    assert "reason='too old' count=1" in caplog.text


@pytest.mark.parametrize("error", [StoreRejected("no such bucket"), ZeroDivisionError("a bug")])
def test_a_batch_that_can_never_be_written_does_not_stop_the_next(
    make: Any, store: FakeStore, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(points: Sequence[Point]) -> WriteReport:
        if points[0].time == 1:
            raise error
        return WriteReport(len(points))

    store.answer = answer
    sink = make(batch=1)
    for time_ in range(4):
        sink.write("a", ticks(time_))
    assert sink.flush(60) == 0
    assert store.times("a") == [0, 2, 3]
    assert (sink.stats().written, sink.stats().dropped) == (3, 1)
    assert type(error).__name__ in caplog.text


class TestEnsure:
    STREAM = Stream("p", "a")

    def test_it_comes_before_the_points_written_after_it(self, make: Any, store: FakeStore) -> None:
        sink = make()
        sink.ensure([self.STREAM])
        sink.write("a", ticks(1))
        assert sink.flush(60) == 0
        assert store.log == ["ensure", "write"]
        assert store.ensured == [[self.STREAM]]

    def test_it_is_tried_again_before_anything_is_written(self, make: Any, store: FakeStore) -> None:
        fails = iter([True, True, True, False])

        def on_ensure() -> None:
            if next(fails):
                raise StoreUnavailable("starting", retry_after=0.0)

        store.on_ensure = on_ensure
        sink = make()
        sink.ensure([self.STREAM])
        sink.write("a", ticks(1))
        assert sink.flush(60) == 0
        assert store.log == ["ensure"] * 4 + ["write"]

    def test_a_refused_change_is_said_and_writing_goes_on(
        self, make: Any, store: FakeStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        def on_ensure() -> None:
            raise StoreRejected("a shorter retention would lose data")

        store.on_ensure = on_ensure
        sink = make()
        sink.ensure([self.STREAM])
        sink.write("a", ticks(1))
        assert sink.flush(60) == 0
        assert store.times("a") == [1]
        assert "a shorter retention would lose data" in caplog.text


class TestEnd:
    def test_a_flush_does_not_sit_out_a_long_backoff(self, make: Any, store: FakeStore) -> None:
        failed = threading.Event()

        def answer(points: Sequence[Point]) -> WriteReport:
            store.answer = lambda points: WriteReport(len(points))
            failed.set()
            raise StoreUnavailable("disk full", retry_after=3_600.0)

        store.answer = answer
        sink = make()
        sink.write("a", ticks(1))
        eventually(lambda: failed.is_set() and sink._queue)  # put back: now it waits
        assert sink.flush(60) == 0
        assert store.times("a") == [1]

    def test_what_cannot_be_flushed_is_reported_and_counted(self, make: Any, store: FakeStore) -> None:
        store.answer = unavailable
        sink = make()
        sink.write("a", ticks(1, 2, 3))
        assert sink.flush(0.05) == 3
        sink.close()
        sink.close()
        assert (sink.stats().written, sink.stats().dropped) == (0, 3)
        sink.write("a", ticks(4))
        assert sink.stats().dropped == 4

    def test_a_store_that_hangs_does_not_hold_up_the_end(self, make: Any, store: FakeStore) -> None:
        store.gate.clear()
        sink = make()
        sink.write("a", ticks(1))
        store.entered.wait()
        sink.write("a", ticks(2))
        assert sink.flush(0.01) == 2
        sink.close()
        assert sink.stats().dropped == 2

    def test_the_store_is_left_to_its_owner(self, make: Any, store: FakeStore) -> None:
        sink = make()
        sink.close()
        assert store.log == []
