"""Identical questions asked at the same time share one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["Flights"]

T = TypeVar("T")


@dataclass(slots=True)
class _Flight:
    task: asyncio.Future[Any]
    waiting: int = 0


class Flights:
    """Questions in flight, by what they ask.

    Nothing is kept once an answer has landed: this is no cache.

    Attributes:
        started: questions that were asked.
        shared: callers who joined a question already in flight.
    """

    def __init__(self) -> None:
        self._flying: dict[Hashable, _Flight] = {}
        self.started = 0
        self.shared = 0

    async def share(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """The answer of ``ask``, or of the call in flight that has the same key.

        A caller that is cancelled leaves alone; when the last one leaves, the question is cancelled.
        An error reaches every caller.
        """
        flight = self._flying.get(key)
        if flight is None:
            flight = _Flight(asyncio.ensure_future(ask()))
            self._flying[key] = flight
            flight.task.add_done_callback(lambda _: self._land(key, flight))
            self.started += 1
        else:
            self.shared += 1
        flight.waiting += 1
        try:
            answer: T = await asyncio.shield(flight.task)
            return answer
        finally:
            flight.waiting -= 1
            if flight.waiting == 0 and not flight.task.done():
                self._land(key, flight)  # nobody may join a question that is being cancelled
                flight.task.cancel()

    def _land(self, key: Hashable, flight: _Flight) -> None:
        if self._flying.get(key) is flight:
            del self._flying[key]
