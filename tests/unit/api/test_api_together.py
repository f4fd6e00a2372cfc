from __future__ import annotations

import asyncio

import pytest

from nodetide_api.together import together


class Work:
    def __init__(self) -> None:
        self.cancelled = False

    async def forever(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


async def answer(value: int, turns: int) -> int:
    for _ in range(turns):
        await asyncio.sleep(0)
    return value


async def fail() -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


async def test_results_come_in_order():
    assert await together(answer(number, 5 - number) for number in range(5)) == [0, 1, 2, 3, 4]
    assert await together([]) == []


async def test_a_failure_ends_the_others():
    work = Work()
    with pytest.raises(ValueError, match="no"):
        await together([work.forever(), fail()])
    await asyncio.sleep(0)
    assert work.cancelled


async def test_a_caller_that_leaves_ends_all():
    works = [Work(), Work()]
    asking = asyncio.create_task(together(work.forever() for work in works))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0)
    assert all(work.cancelled for work in works)
