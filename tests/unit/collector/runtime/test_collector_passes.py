from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from nodetide_collector.host import Host
from nodetide_collector.passes import Outcome, Passes
from nodetide_collector.probe import Reading, Request, Sample

PATIENCE = 0.03


class Gate:
    """Holds probes up until it is opened. Patience is over for whoever it holds up, and for nobody else."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._open = threading.Event()

    def wait(self) -> bool:
        if not self._open.is_set():
            self._clock.advance(2 * PATIENCE)
        return self._open.wait()

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate(clock: Any) -> Iterator[Gate]:
    """Opened at the end, so that no thread is left behind."""
    gate = Gate(clock)
    yield gate
    gate.open()


@pytest.fixture
def run(probes: Any, clock: Any) -> Iterator[Callable[..., dict[str, Outcome]]]:
    """Runs all probes once; outcomes by group. How fast this machine is decides nothing: the clock is the test's."""
    made: list[Passes] = []

    def go(tick: int = 1) -> dict[str, Outcome]:
        if not made:
            made.append(Passes(probes.registrations, Host(), clock.monotonic, PATIENCE))
        names = dict.fromkeys(probes.registrations, Request())
        return {outcome.group: outcome for outcome in made[0].run(tick, names)}

    go.passes = lambda: made[0]  # type: ignore[attr-defined]
    yield go
    for passes in made:
        passes.close()


def eventually(condition: Callable[[], Any]) -> Any:
    """The first true answer; what is waited for is certain to come, only not when."""
    while not (found := condition()):
        time.sleep(0.001)
    return found


def reading(*values: float) -> Reading:
    return Reading([Sample("temp", (("sensor", str(i)),), {"temp": value}) for i, value in enumerate(values)])


def test_outcomes_carry_the_tick_and_the_reading(probes: Any, run: Any) -> None:
    probes.add("mem", lambda _: reading(1.0))
    outcome = run(77)["mem"]
    assert (outcome.tick, outcome.error) == (77, "")
    assert outcome.reading == reading(1.0)
    assert outcome.duration >= 0


def fail(_: Request) -> Reading:
    raise PermissionError(13, "not\nallowed")


def giving(sample: Any) -> Callable[[Request], Reading]:
    return lambda _: Reading([sample])


@pytest.mark.parametrize(
    ("read", "error"),
    [
        (fail, "PermissionError"),
        (lambda _: None, "TypeError"),
        (lambda _: "text", "TypeError"),
        (giving(None), "AttributeError"),
        (giving(Sample("temp", cast(Any, [("a", "b")]), {"temp": 1.0})), "TypeError"),
        (giving(("temp", (), {"temp": 1.0})), "AttributeError"),
        (giving(Sample("temp", (), cast(Any, 7))), "AttributeError"),
    ],
)
def test_a_probe_that_raises_or_gives_garbage_fails_alone(probes: Any, run: Any, read: Any, error: str) -> None:
    probes.add("mem", lambda _: reading(1.0))
    probes.add("cpu", read)
    probes.add("swap", lambda _: reading(2.0))
    for _ in range(3):
        outcomes = run()
        assert outcomes["cpu"].error == error
        assert outcomes["cpu"].reading is None
        assert "\n" not in outcomes["cpu"].detail
        assert outcomes["mem"].reading == reading(1.0)
        assert outcomes["swap"].reading == reading(2.0)
    assert not run.passes().busy


def test_a_probe_that_cannot_be_made_fails_and_is_tried_again(probes: Any, run: Any) -> None:
    attempts = []
    probes.add("mem", lambda _: reading(1.0))
    working = probes.registrations["mem"].make

    def make(host: Host) -> Any:
        attempts.append(host)
        if len(attempts) < 3:
            raise OSError("no such device")
        return working(host)

    registration = probes.registrations["mem"]
    probes.registrations["mem"] = type(registration)("mem", make, 1.0, None)
    assert [run()["mem"].error for _ in range(4)] == ["OSError", "OSError", "", ""]
    assert len(attempts) == 3


def test_a_group_without_a_probe_fails(clock: Any) -> None:
    passes = Passes({}, Host(), clock.monotonic)
    assert [outcome.error for outcome in passes.run(1, {"mem": Request()})] == ["LookupError"]
    passes.close()


def test_a_hung_probe_is_set_aside_and_given_up_once(probes: Any, run: Any, clock: Any, gate: Gate) -> None:
    def hang(_: Request) -> Reading:
        gate.wait()
        return reading(9.0)

    probes.add("cpu", hang, timeout=3 * PATIENCE)
    probes.add("mem", lambda _: reading(1.0))
    assert set(run(1)) == {"mem"}
    assert set(run.passes().busy) == {"cpu"}
    assert run.passes().late() == [], "it has some time left"
    clock.advance(2 * PATIENCE)
    (given_up,) = run.passes().late()
    assert (given_up.group, given_up.tick, given_up.error) == ("cpu", 1, "timed out")
    assert given_up.duration == pytest.approx(4 * PATIENCE)
    for tick in range(2, 30):
        assert set(run(tick)) == {"mem"}
        assert run.passes().late() == []
    assert probes.reads.count("cpu") == 1
    gate.open()
    eventually(lambda: not run.passes().late() and not run.passes().busy)
    probes.reads.clear()
    assert set(run(31)) == {"mem", "cpu"}, "its thread came back, so it may run again"


def test_a_slow_probe_is_delivered_late_with_the_tick_it_was_started_for(probes: Any, run: Any, gate: Gate) -> None:
    def slow(_: Request) -> Reading:
        gate.wait()
        return reading(5.0)

    probes.add("disk", slow, timeout=60)
    probes.add("mem", lambda _: reading(1.0))
    assert set(run(10)) == {"mem"}
    assert set(run(11)) == {"mem"}
    gate.open()
    (late,) = eventually(run.passes().late)
    assert (late.group, late.tick, late.reading) == ("disk", 10, reading(5.0))
    assert set(run(12)) == {"mem", "disk"}


def test_everything_hanging_costs_one_thread_per_probe_and_no_more(probes: Any, run: Any, gate: Gate) -> None:
    names = ["cpu", "mem", "swap", "net", "system"]
    for name in names:
        probes.add(name, lambda _: gate.wait(), timeout=60)
    before = threading.active_count()
    for tick in range(20):
        assert run(tick) == {}
    assert threading.active_count() - before <= len(names) + 1
    assert sorted(probes.reads) == sorted(names)


def test_what_was_slow_goes_last_the_next_time(probes: Any, run: Any, gate: Gate) -> None:
    probes.add("cpu", lambda _: gate.wait() and reading(), timeout=60)
    probes.add("mem", lambda _: reading())
    run(1)
    gate.open()
    eventually(run.passes().late)
    probes.reads.clear()
    run(2)
    assert probes.reads == ["mem", "cpu"]
    probes.reads.clear()
    run(3)
    assert probes.reads == ["cpu", "mem"], "well again"


def test_a_pass_is_one_hand_off_to_one_lasting_thread(probes: Any, run: Any) -> None:
    threads = set()

    def read(_: Request) -> Reading:
        threads.add(threading.current_thread())
        return reading()

    for name in ("cpu", "mem", "swap"):
        probes.add(name, read)
    for tick in range(10):
        run(tick)
    assert len(threads) == 1
    assert threads != {threading.current_thread()}


def test_close_ends_the_thread(probes: Any, clock: Any) -> None:
    threads: list[threading.Thread] = []

    def read(_: Request) -> Reading:
        threads.append(threading.current_thread())
        return reading()

    probes.add("mem", read)
    passes = Passes(probes.registrations, Host(), clock.monotonic)
    passes.run(1, {"mem": Request()})
    passes.close()
    threads[0].join(60)
    assert not threads[0].is_alive()
