"""File systems that answer late or never."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from tests.fixtures.hosts import pieces

from nodetide_collector.host import StatVfs
from nodetide_collector.probes._statvfs import HUNG, NO_TIME, TIMED_OUT, TOO_MANY, StatVfsCaller

_ANSWER = pieces.filesystem(1)


class Disks:
    """Answers at once, but for the paths that hang until released."""

    def __init__(self, *hanging: bytes) -> None:
        self.calls: Counter[bytes] = Counter()
        self.threads: set[int] = set()
        self.open = {path: threading.Event() for path in hanging}
        self.entered = {path: threading.Event() for path in hanging}

    def __call__(self, path: bytes) -> StatVfs:
        self.calls[path] += 1
        self.threads.add(threading.get_ident())
        if path in self.open:
            self.entered[path].set()
            assert self.open[path].wait(60)
        return _ANSWER

    def release(self) -> None:
        for event in self.open.values():
            event.set()


def workers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "nodetide-statvfs"}


def wait_until(condition: Callable[[], bool]) -> None:
    """Threads end in their own time; the test's own time-out bounds this."""
    while not condition():
        threading.Event().wait(0.001)


def test_one_thread_serves_all_passes() -> None:
    disks = Disks()
    caller = StatVfsCaller(disks)
    for _ in range(3):
        assert caller.call([b"/a", b"/b", b"/a"]) == {b"/a": _ANSWER, b"/b": _ANSWER}
    assert disks.calls == {b"/a": 3, b"/b": 3}
    assert len(disks.threads) == 1


def test_the_thread_goes_with_whom_it_served() -> None:
    before = workers()
    caller = StatVfsCaller(Disks())
    caller.call([b"/a"])
    assert len(workers() - before) == 1
    del caller
    wait_until(lambda: not workers() - before)


def test_errors_are_answers() -> None:
    error = OSError(116, "Stale file handle")

    def statvfs(path: bytes) -> StatVfs:
        raise error

    assert StatVfsCaller(statvfs).call([b"/a"]) == {b"/a": error}


def test_a_dead_mount_does_not_stop_the_others_and_is_asked_once() -> None:
    disks = Disks(b"/dead")
    before = workers()
    caller = StatVfsCaller(disks, patience=0.05, budget=30)
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
    assert caller.call([b"/dead"]) == {b"/dead": _ANSWER}
    assert disks.calls[b"/dead"] == 2


def test_each_dead_mount_holds_one_thread() -> None:
    paths = [b"/%d" % number for number in range(4)]
    disks = Disks(*paths)
    before = workers()
    caller = StatVfsCaller(disks, patience=0.02, budget=30)
    try:
        assert caller.call([*paths, b"/a"]) == {**dict.fromkeys(paths, TIMED_OUT), b"/a": _ANSWER}
        caller.call([*paths, b"/a"])
        assert disks.calls == {**dict.fromkeys(paths, 1), b"/a": 2}
        assert len(workers() - before) == 5
    finally:
        disks.release()
    wait_until(lambda: len(workers() - before) == 1)


def test_past_the_budget_the_rest_waits_for_the_next_pass() -> None:
    now = 0.0
    disks = Disks(b"/slow")

    def clock() -> float:
        return now if not disks.entered[b"/slow"].is_set() else now + 100

    caller = StatVfsCaller(disks, patience=0.02, budget=1.0, clock=clock)
    try:
        answers = caller.call([b"/a", b"/slow", b"/b", b"/c"])
        assert answers[b"/a"] == _ANSWER
        assert answers[b"/slow"] in (TIMED_OUT, NO_TIME)
        assert answers[b"/b"] == answers[b"/c"] == NO_TIME
        assert disks.calls[b"/b"] == 0
        assert caller.call([b"/b"]) == {b"/b": _ANSWER}
    finally:
        disks.release()


@pytest.mark.parametrize("extra", [1, 10])
def test_hanging_threads_are_bounded(extra: int) -> None:
    paths = [b"/%d" % number for number in range(32 + extra)]
    disks = Disks(*paths)
    caller = StatVfsCaller(disks, patience=0.001, budget=60)
    try:
        answers = Counter(str(answer) for answer in caller.call(paths).values())
        assert answers == {TIMED_OUT: 32, TOO_MANY: extra}
        assert sum(disks.calls.values()) <= 32
    finally:
        disks.release()
