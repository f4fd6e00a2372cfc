"""A thread while there is something to do, and none else."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator

import pytest
from tests.fakes.alert_memory import ToldMemory
from tests.fakes.notify_rig import Clock, Wire, policy_with

from nodetide_core.alerts.notify.dispatcher import Dispatcher
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.notify.worker import Worker
from nodetide_core.policy.spec import Policy, SecretRef

PATIENCE = 60.0


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


def test_where_no_thread_can_be_had_it_works_later(
    start: Callable[[Steps], Worker], caplog: pytest.LogCaptureFixture
) -> None:
    steps = Steps(math.inf)
    worker = start(steps)
    size = threading.stack_size(1 << 46)  # more than there is
    try:
        for _ in range(3):
            worker.wake()
    finally:
        threading.stack_size(size)
    assert [record.getMessage() for record in caplog.records] == ["w has to wait for a thread: can't start new thread"]
    worker.wake()
    assert steps.called(1)


def test_what_is_handed_over_while_it_closes_begins_nothing(alert: Callable[..., ActiveAlert]) -> None:
    """Where another thread hands over than closes."""
    wire = Wire("http")
    dispatcher = Dispatcher(ToldMemory(), lambda policy, ref: "", poster=lambda: wire)

    def policies() -> Iterator[Policy]:
        assert dispatcher.close(PATIENCE)
        yield policy_with({"name": "late", "type": "http", "url": "http://x"})

    dispatcher.update(policies(), {"p": [alert()]})
    assert not [thread for thread in threading.enumerate() if thread.name == "notify-late"]
    assert dispatcher.health() == {}


@pytest.mark.parametrize("left", ["removed", "native"])
def test_whose_policy_is_gone_is_told_of_the_end_for_a_while(alert: Callable[..., ActiveAlert], left: str) -> None:
    clock, wire, entry = Clock(), Wire("http"), {"name": "parting", "type": "http", "url": "http://x"}
    dispatcher = Dispatcher(ToldMemory(), lambda policy, ref: "", poster=lambda: wire, times=clock.times())
    after = [] if left == "removed" else [policy_with(entry, alertEngine="influxdb")]
    other = policy_with({**entry, "name": "other"}, name="q")

    def update(policies: list[Policy], *alerts: ActiveAlert) -> list[str]:
        dispatcher.update([*policies, other], {"p": alerts, "q": []} if alerts else {"q": []})
        for thread in threading.enumerate():
            if thread.name in ("notify-parting", "notify-other"):
                thread.join(PATIENCE)
        return [document["status"] for document in wire.taken]

    begun = alert(start=int(clock.now) - 60)
    assert update([policy_with(entry)], begun) == ["firing"]
    assert update(after, begun) == ["firing"]
    clock.now += 899
    assert update(after, alert(start=begun.starts_at, end=int(clock.now))) == ["firing", "resolved"]
    clock.now += 1
    update(after)
    assert dispatcher.health().keys() == {("q", "other")}
    update([policy_with(entry)])
    assert dispatcher.health().keys() == {("p", "parting"), ("q", "other")}
    assert dispatcher.close(PATIENCE)


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
