"""Identical questions in flight share one answer."""

from __future__ import annotations

import asyncio

import pytest

from nodetide_api.flights import Flights


class Question:
    """A question that waits to be answered by the test."""

    def __init__(self) -> None:
        self.asked = 0
        self.cancelled = 0
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __call__(self) -> str:
        self.asked += 1
        try:
            return await asyncio.shield(self.answer)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_many_callers_share_one_question():
    flights, question = Flights(), Question()
    callers = [asyncio.create_task(flights.share("key", question)) for _ in range(50)]
    await turns()
    question.answer.set_result("answer")
    assert await asyncio.gather(*callers) == ["answer"] * 50
    assert (question.asked, flights.started, flights.shared) == (1, 1, 49)


async def test_different_questions_do_not_share():
    flights, one, two = Flights(), Question(), Question()
    callers = [asyncio.create_task(flights.share(key, question)) for key, question in (("a", one), ("b", two))]
    one.answer.set_result("one")
    two.answer.set_result("two")
    assert await asyncio.gather(*callers) == ["one", "two"]


async def test_nothing_is_kept_after_an_answer():
    flights, first, second = Flights(), Question(), Question()
    first.answer.set_result("old")
    second.answer.set_result("new")
    assert await flights.share("key", first) == "old"
    assert await flights.share("key", second) == "new"


async def test_a_caller_who_leaves_does_not_take_the_answer_from_the_others():
    flights, question = Flights(), Question()
    leaver, stayer = (asyncio.create_task(flights.share("key", question)) for _ in range(2))
    await turns()
    leaver.cancel()
    await turns()
    assert question.cancelled == 0
    question.answer.set_result("answer")
    assert await stayer == "answer"
    assert leaver.cancelled()


async def test_the_last_to_leave_cancels_the_question_and_the_next_one_asks_anew():
    flights, question = Flights(), Question()
    leavers = [asyncio.create_task(flights.share("key", question)) for _ in range(3)]
    await turns()
    fresh = Question()
    fresh.answer.set_result("fresh")
    for leaver in leavers:
        leaver.cancel()
    # It asks in the turn in which they leave, before the cancelled question has even noticed.
    assert await asyncio.create_task(flights.share("key", fresh)) == "fresh"
    await asyncio.wait(leavers)
    assert question.cancelled == 1


async def test_an_error_reaches_everybody_and_is_not_kept():
    flights, question = Flights(), Question()
    callers = [asyncio.create_task(flights.share("key", question)) for _ in range(3)]
    await turns()
    question.answer.set_exception(ValueError("broken"))
    assert [str(error) for error in await asyncio.gather(*callers, return_exceptions=True)] == ["broken"] * 3
    fine = Question()
    fine.answer.set_result("fine")
    assert await flights.share("key", fine) == "fine"


async def test_an_error_nobody_waits_for_is_not_reported_as_lost():
    flights, question = Flights(), Question()
    caller = asyncio.create_task(flights.share("key", question))
    await turns()
    caller.cancel()
    question.answer.set_exception(ValueError("broken"))
    with pytest.raises(asyncio.CancelledError):
        await caller
    await turns()


async def test_a_question_that_takes_too_long_ends_for_everybody_and_is_not_joined(let_pass):
    flights, question = Flights(), Question()
    callers = [asyncio.create_task(flights.share("key", question, 10)) for _ in range(3)]
    await turns()
    let_pass(9)
    await turns()
    assert not any(caller.done() for caller in callers)
    let_pass(1)
    ended = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(error) for error in ended] == [TimeoutError] * 3
    fresh = Question()
    fresh.answer.set_result("fresh")
    assert await flights.share("key", fresh, 60) == "fresh"
    assert (question.asked, question.cancelled) == (1, 1)


async def test_a_question_in_time_is_left_alone_by_its_limit(let_pass):
    flights, first, second = Flights(), Question(), Question()
    first.answer.set_result("first")
    assert await flights.share("key", first, 10) == "first"
    asking = asyncio.create_task(flights.share("key", second, 60))
    let_pass(11)
    await turns()
    second.answer.set_result("second")
    assert await asking == "second"


@pytest.mark.parametrize("turns_between", range(6))
async def test_a_cancellation_is_never_lost_whenever_it_arrives(turns_between):
    flights, question = Flights(), Question()

    async def outer():
        await flights.share("key", question, 60)
        await asyncio.Event().wait()

    task = asyncio.create_task(outer())
    await turns()
    question.answer.set_result("answer")
    await turns(turns_between)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=60)
    assert done, "the cancellation was lost"
    assert task.cancelled()
