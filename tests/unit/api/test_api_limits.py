"""Time limits that lose no cancellation."""

from __future__ import annotations

import asyncio

import pytest

from nodetide_api.limits import within


async def test_work_in_time_gives_its_result_or_its_error():
    async def work(result):
        await asyncio.sleep(0)
        if isinstance(result, Exception):
            raise result
        return result

    assert await within(60, work("done")) == "done"
    with pytest.raises(ValueError, match="broken"):
        await within(60, work(ValueError("broken")))


async def test_work_that_takes_too_long_is_cancelled():
    work = asyncio.ensure_future(asyncio.Event().wait())
    with pytest.raises(TimeoutError):
        await within(0.001, work)
    await asyncio.wait([work])
    assert work.cancelled()


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancellation_is_never_lost_whenever_it_arrives(turns):
    """Also in the very turn in which the work is done, where asyncio.wait_for of Python 3.10 and 3.11 loses it."""
    ready = asyncio.Event()

    async def outer():
        await within(60, ready.wait())
        await asyncio.Event().wait()

    task = asyncio.create_task(outer())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    ready.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=60)
    assert done, "the cancellation was lost"
    assert task.cancelled()
