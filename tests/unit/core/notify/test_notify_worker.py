"""A thread while there is something to do, and none else."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator

import pytest
from tests.fakes.alert_memory import ToldMemory
from tests.fakes.notify_rig import Wire, policy_with

from nodetide_core.alerts.notify.dispatcher import Dispatcher
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.notify.worker import Worker
from nodetide_core.policy.spec import Policy, SecretRef

PATIENCE = 20.0


class Steps:
    """What a worker is to do, one after the other, and how often it did."""

    def __init__(self, *waits: float | Exception) -> None:
        self._waits = list(waits)
        self.calls = threading.Semaphore(0)

    def __call__(self) -> float:
        wait = self._waits.pop(0) if self._waits else math.inf
        self.calls.release()
        if isinstance(wait, Exception):
            raise wait
        return wait

    def called(self, times: int) -> bool:
        return all(self.calls.acquire(timeout=PATIENCE) for _ in range(times))


@pytest.fixture
def start() -> Iterator[Callable[[Steps], Worker]]:
    made: list[Worker] = []

    def make(steps: Steps) -> Worker:
        made.append(Worker("w", steps))
        return made[-1]

    yield make
    for worker in made:
        worker.end()
        assert worker.join(PATIENCE)


def test_it_goes_on_until_there_is_nothing_and_begins_again(start: Callable[[Steps], Worker]) -> None:
    steps = Steps(0.0, 0.0, math.inf, 0.0)
    worker = start(steps)
    worker.wake()
    assert steps.called(3)
    assert worker.join(PATIENCE), "no thread stays where there is nothing to do"
    worker.wake()
    assert steps.called(2)


def test_it_wakes_from_a_long_wait_and_ends_in_one(start: Callable[[Steps], Worker]) -> None:
    steps = Steps(10_000.0, 10_000.0)
    worker = start(steps)
    worker.wake()
    assert steps.called(1)
    worker.wake()
    assert steps.called(1)
    worker.end()
    assert worker.join(PATIENCE)
    worker.wake()
    assert worker.join(0)
    assert not steps.calls.acquire(blocking=False), "it was called as often as it was woken"


def test_an_error_is_logged_and_no_end(start: Callable[[Steps], Worker], caplog: pytest.LogCaptureFixture) -> None:
    steps = Steps(ZeroDivisionError("oops"))
    worker = start(steps)
    worker.wake()
    assert steps.called(1)
    worker.wake()
    assert steps.called(1)
    assert "oops" in caplog.text


def test_idle_receivers_cost_no_threads(alert: Callable[..., ActiveAlert]) -> None:
    def secret(policy: Policy, ref: SecretRef) -> str:
        raise AssertionError("none has any")

    policies = [policy_with({"name": "r", "type": "http", "url": "http://x"}, name=f"p{number}") for number in range(9)]
    wires: list[Wire] = []

    def wire() -> Wire:
        wires.append(Wire("http"))
        return wires[-1]

    dispatcher = Dispatcher(ToldMemory(), secret, poster=wire)
    dispatcher.update(policies, {f"p{number}": [alert()] if number == 3 else [] for number in range(9)})
    for thread in [thread for thread in threading.enumerate() if thread.name == "notify-r"]:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert [len(each.taken) for each in wires] == [int(number == 3) for number in range(9)]
    assert dispatcher.close(PATIENCE)
