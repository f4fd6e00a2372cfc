"""Several works at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

__all__ = ["together"]

T = TypeVar("T")


async def together(works: Iterable[Awaitable[T]]) -> list[T]:
    """The results of all, in their order; where one fails, or the caller leaves, the others are cancelled."""
    works = list(works)
    if len(works) == 1:  # as nearly always, and needs no task
        return [await works[0]]
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
