"""File systems that answer late or never."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from tests.fixtures.hosts import pieces

from nodetide_collector.host import StatVfs
from nodetide_collector.probes import _statvfs
from nodetide_collector.probes._statvfs import HUNG, NO_TIME, TIMED_OUT, TOO_MANY, StatVfsCaller

_ANSWER = pieces.filesystem(1)

Make: TypeAlias = Callable[..., StatVfsCaller]


class Disks:
    """Answers at once, but for the paths that hang until released."""

    def __init__(self, *hanging: bytes) -> None:
        self.calls: Counter[bytes] = Counter()
        self.threads: set[int] = set()
        self.open = {path: threading.Event() for path in hanging}
        self.hangs = 0

    def __call__(self, path: bytes) -> StatVfs:
        self.calls[path] += 1
        self.threads.add(threading.get_ident())
        if path in self.open:
            self.hangs += 1
            self.open[path].wait()
        return _ANSWER

    def release(self) -> None:
        for event in self.open.values():
            event.set()


class Patience(threading.Event):
    """Over when one more call hangs than at its beginning, and not before, however slow this machine is."""

    def __init__(self, disks: Disks) -> None:
        super().__init__()
        self._disks = disks
        self._before = disks.hangs

    def wait(self, timeout: float | None = None) -> bool:
        while not (done := super().wait(0.001)) and self._disks.hangs == self._before:
            pass
        return done


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    """A caller whose patience ends when one of its disks hangs."""

    def caller(disks: Disks, **options: Any) -> StatVfsCaller:
        batch = _statvfs._Batch
        monkeypatch.setattr(_statvfs, "_Batch", lambda paths: batch(paths, done=Patience(disks)))
        return StatVfsCaller(disks, **{"budget": math.inf, **options})

    return caller


def workers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "nodetide-statvfs"}


def wait_until(condition: Callable[[], bool]) -> None:
    """Threads end in their own time; the test's own time-out bounds this."""
    while not condition():
        threading.Event().wait(0.001)


def test_one_thread_serves_all_passes(make: Make) -> None:
    disks = Disks()
    caller = make(disks)
    for _ in range(3):
        assert caller.call([b"/a", b"/b", b"/a"]) == {b"/a": _ANSWER, b"/b": _ANSWER}
    assert disks.calls == {b"/a": 3, b"/b": 3}
    assert len(disks.threads) == 1


def test_the_thread_goes_with_whom_it_served(make: Make) -> None:
    before = workers()
    caller = make(Disks())
    caller.call([b"/a"])
    assert len(workers() - before) == 1
    del caller
    wait_until(lambda: not workers() - before)


def test_errors_are_answers() -> None:
    error = OSError(116, "Stale file handle")

    def statvfs(path: bytes) -> StatVfs:
        raise error

    assert StatVfsCaller(statvfs, patience=60).call([b"/a"]) == {b"/a": error}


def test_a_dead_mount_does_not_stop_the_others_and_is_asked_once(make: Make) -> None:
    disks = Disks(b"/dead")
    before = workers()
    caller = make(disks)
    try:
        assert caller.call([b"/a", b"/dead", b"/b"]) == {b"/a": _ANSWER, b"/dead": TIMED_OUT, b"/b": _ANSWER}
        for _ in range(5):
            assert caller.call([b"/a", b"/dead", b"/b"]) == {b"/a": _ANSWER, b"/dead": HUNG, b"/b": _ANSWER}
        assert disks.calls[b"/dead"] == 1
        assert disks.calls[b"/b"] == 6
        assert len(disks.threads) == 2
    finally:
        disks.release()
    wait_until(lambda: len(workers() - before) == 1)
    assert disks.calls[b"/b"] == 6, "the thread that came back leaves the rest to the other"
    wait_until(lambda: caller.call([b"/dead"]) == {b"/dead": _ANSWER})
    assert disks.calls[b"/dead"] == 2


def test_each_dead_mount_holds_one_thread(make: Make) -> None:
    paths = [b"/%d" % number for number in range(4)]
    disks = Disks(*paths)
    before = workers()
    caller = make(disks)
    try:
        assert caller.call([*paths, b"/a"]) == {**dict.fromkeys(paths, TIMED_OUT), b"/a": _ANSWER}
        caller.call([*paths, b"/a"])
        assert disks.calls == {**dict.fromkeys(paths, 1), b"/a": 2}
        assert len(workers() - before) == 5
    finally:
        disks.release()
    wait_until(lambda: len(workers() - before) == 1)


def test_past_the_budget_the_rest_waits_for_the_next_pass(make: Make) -> None:
    disks = Disks(b"/slow")
    caller = make(disks, budget=1.0, clock=lambda: 100.0 * disks.hangs)
    try:
        answers = caller.call([b"/a", b"/slow", b"/b", b"/c"])
        assert answers == {b"/a": _ANSWER, **dict.fromkeys((b"/slow", b"/b", b"/c"), NO_TIME)}
        assert disks.calls[b"/b"] == 0
        assert caller.call([b"/b"]) == {b"/b": _ANSWER}
    finally:
        disks.release()


@pytest.mark.parametrize("extra", [1, 10])
def test_hanging_threads_are_bounded(extra: int) -> None:
    paths = [b"/%d" % number for number in range(32 + extra)]
    disks = Disks(*paths)
    caller = StatVfsCaller(disks, patience=0.001, budget=math.inf)
    try:
        answers = Counter(str(answer) for answer in caller.call(paths).values())
        assert answers == {TIMED_OUT: 32, TOO_MANY: extra}
        assert sum(disks.calls.values()) <= 32
    finally:
        disks.release()
