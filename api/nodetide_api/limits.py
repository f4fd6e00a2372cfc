"""Time limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

__all__ = ["within"]

T = TypeVar("T")


async def within(seconds: float, work: Awaitable[T]) -> T:
    """The result of ``work``, which is cancelled when it takes longer.

    `asyncio.wait_for` does the same, but before Python 3.12 it swallows a cancellation that arrives just
    as the work is done: a poller that is told to stop at that moment would go on for ever.

    Raises:
        TimeoutError: it took longer.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait((task,), timeout=seconds)
        if not task.done():
            raise TimeoutError
        return task.result()
    finally:
        task.cancel()
