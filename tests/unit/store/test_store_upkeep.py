"""The upkeep thread: turns, failures told once, and an end."""

from __future__ import annotations

import logging
import threading

from nodetide_core.errors import StoreUnavailable
from nodetide_core.store import RollupReport
from nodetide_core.stores.upkeep import Upkeep, UpkeepState


class Store:
    """Answers from a script; the last answer again and again."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []
        self.called = threading.Semaphore(0)

    def rollup(self, now):
        self.calls.append(now)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.called.release()
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_turn_goes_on_while_something_remains():
    store = Store(RollupReport(remaining=2), RollupReport(remaining=1), RollupReport())
    upkeep = Upkeep(store, clock=lambda: 12.5)
    upkeep.turn()
    assert store.calls == [12, 12, 12]
    assert upkeep.state == UpkeepState(12.5, None, 0)


def test_a_failure_is_told_once_and_so_is_its_end(caplog):
    caplog.set_level(logging.INFO)
    full = StoreUnavailable("disk is full")
    store = Store(RollupReport(), full, full, ValueError("odd"), full, RollupReport())
    times = iter(range(100))
    upkeep = Upkeep(store, clock=lambda: float(next(times)))
    states = []
    for _ in range(6):
        upkeep.turn()
        states.append((upkeep.state.last_run, upkeep.state.error))
    assert states == [
        (0.0, None),
        (0.0, "disk is full"),
        (0.0, "disk is full"),
        (0.0, "ValueError: odd"),
        (0.0, "disk is full"),
        (5.0, None),
    ]
    assert [record.getMessage() for record in caplog.records] == [
        "store upkeep fails: disk is full",
        "store upkeep fails: ValueError: odd",
        "store upkeep fails: disk is full",
        "store upkeep works again",
    ]


def test_the_thread_turns_until_it_is_stopped():
    store = Store(RollupReport())
    upkeep = Upkeep(store, interval=0.001, clock=lambda: 1.0)
    upkeep.start()
    for _ in range(5):
        assert store.called.acquire(timeout=60)
    assert upkeep.stop(60)
    before = len(store.calls)
    assert not store.called.acquire(timeout=0.05) or len(store.calls) == before


def test_stopping_ends_a_turn_that_would_go_on_for_ever():
    store = Store(RollupReport(remaining=1))
    upkeep = Upkeep(store, clock=lambda: 1.0)
    upkeep.start()
    assert store.called.acquire(timeout=60)
    assert upkeep.stop(60)


def test_it_can_be_stopped_before_it_started():
    assert Upkeep(Store(RollupReport())).stop(1)
