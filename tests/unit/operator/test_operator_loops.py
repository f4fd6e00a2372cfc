"""Loops: woken or due they turn, and they end when they are to. Time is the test's own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nodetide_operator.loops import Loop

PATIENCE = 60


class Turns:
    """A turn that waits for the test; and a clock that only the test moves."""

    def __init__(self, **keywords: Any) -> None:
        self.now = 0.0
        self.seen: list[bool] = []
        self.answers: list[float | Exception | None] = []
        self.takes = 0.0
        self._begun = threading.Semaphore(0)
        self._go = threading.Semaphore(0)
        self.loop = Loop("test", self._turn, monotonic=lambda: self.now, **{"interval": 60.0, **keywords})

    def _turn(self, by_time: bool) -> float | None:
        self.seen.append(by_time)
        self._begun.release()
        assert self._go.acquire(timeout=PATIENCE)
        self.now += self.takes
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def begun(self) -> bool:
        """Wait for a turn to begin."""
        assert self._begun.acquire(timeout=PATIENCE)
        return self.seen[-1]

    def begins_within(self, seconds: float) -> bool:
        return self._begun.acquire(timeout=seconds)

    def begun_as_time_passes(self) -> bool:
        for _ in range(100 * PATIENCE):
            if self._begun.acquire(timeout=0.01):
                return self.seen[-1]
            self.now += 0.01
        raise AssertionError("no turn has begun")

    def finish(self) -> None:
        self._go.release()

    def pass_one(self) -> bool:
        by_time = self.begun()
        self.finish()
        return by_time

    def close(self) -> None:
        for _ in range(5):
            self.finish()
        assert self.loop.stop(PATIENCE)


@pytest.fixture
def turns() -> Iterator[Callable[..., Turns]]:
    made: list[Turns] = []

    def make(**keywords: Any) -> Turns:
        made.append(Turns(**keywords))
        made[-1].loop.start()
        return made[-1]

    yield make
    for it in made:
        it.close()


def test_the_first_turn_is_due_by_time_and_one_that_was_woken_is_not(turns: Callable[..., Turns]) -> None:
    it = turns()
    assert it.pass_one() is True
    it.loop.wake()
    assert it.pass_one() is False


def test_what_wakes_it_during_a_turn_brings_one_more_and_only_one(turns: Callable[..., Turns]) -> None:
    it = turns()
    it.begun()
    for _ in range(100):
        it.loop.wake()
    it.finish()
    assert it.pass_one() is False
    assert not it.begins_within(0.2)
    it.loop.wake()
    it.begun()
    assert it.seen == [True, False, False]


def test_woken_when_it_is_due_it_is_due(turns: Callable[..., Turns]) -> None:
    it = turns()
    it.pass_one()
    it.loop.wake()
    it.begun()
    it.now = 61.0
    it.loop.wake()
    it.finish()
    assert it.pass_one() is True


def test_turns_due_by_time_take_no_more_than_their_share(turns: Callable[..., Turns]) -> None:
    it = turns(share=0.25)
    it.takes = 100.0
    it.pass_one()  # ends at 100, so the next is due at 400
    it.loop.wake()
    it.begun()
    it.takes = 0.0
    it.now = 399.0
    it.loop.wake()
    it.finish()
    assert it.pass_one() is False
    it.loop.wake()
    it.begun()
    it.now = 400.0
    it.loop.wake()
    it.finish()
    assert it.pass_one() is True


def test_a_turn_can_ask_for_another(turns: Callable[..., Turns]) -> None:
    it = turns()
    it.answers = [0.0, 0.0, None]
    assert [it.pass_one() for _ in range(3)] == [True, False, False]
    assert it.loop.idle == 0.0


def test_one_that_was_asked_for_later_comes_when_its_time_has_come(turns: Callable[..., Turns]) -> None:
    it = turns()
    it.answers = [0.01, None]
    it.begun()
    it.finish()
    assert it.begun_as_time_passes() is False
    assert it.now < 60.0


def test_what_nobody_foresaw_is_logged_and_the_next_turn_begins_anew(
    turns: Callable[..., Turns], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="nodetide_operator.loops"):
        it = turns()
        it.answers = [None, ValueError("unforeseen")]
        it.begun()
        it.loop.wake()
        it.finish()
        it.begun()
        it.now = 10.0
        it.loop.wake()
        it.finish()
        it.begun()
    assert "test: a turn failed" in caplog.text
    assert it.loop.idle == 10.0, "a loop that only fails has not come round"
    it.finish()


def test_it_knows_how_long_ago_it_came_round(turns: Callable[..., Turns]) -> None:
    it = turns()
    it.begun()
    it.now = 50.0
    assert it.loop.idle == 50.0
    it.finish()
    it.loop.wake()
    it.begun()
    assert it.loop.idle == 0.0
    assert it.loop.alive


def test_stopped_it_ends_after_the_turn_under_way_also_while_it_waits(turns: Callable[..., Turns]) -> None:
    it = turns()
    it.begun()
    it.loop.wake()
    assert not it.loop.stop(0.0)
    it.finish()
    assert it.loop.stop(PATIENCE)
    assert (it.seen, it.loop.alive) == ([True], False)
    waiting = turns(interval=1e6)
    waiting.pass_one()
    assert waiting.loop.stop(PATIENCE)
    settling = turns(settle=1e6)
    assert settling.loop.stop(PATIENCE)
    assert settling.seen == []
    never = Turns()
    assert never.loop.stop(0.0)
