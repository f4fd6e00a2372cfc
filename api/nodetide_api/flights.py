"""Identical questions asked at the same time share one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

__all__ = ["Flights"]

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Flight:
    """
    Attributes:
        waiting: one for each caller.
    """

    key: Hashable
    task: asyncio.Future[Any]
    timer: asyncio.TimerHandle | None = None
    waiting: set[asyncio.Future[Any]] = field(default_factory=set)


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

    async def share(self, key: Hashable, ask: Callable[[], Awaitable[T]], limit: float | None = None) -> T:
        """The answer of ``ask``, or of the call in flight that has the same key.

        A caller that is cancelled leaves alone; when the last one leaves, the question is cancelled.
        An error reaches every caller.

        Args:
            limit: seconds that the question may take.

        Raises:
            TimeoutError: it took longer, and was cancelled.
        """
        loop = asyncio.get_running_loop()
        flight = self._flying.get(key)
        if flight is None:
            flight = self._flying[key] = _Flight(key, asyncio.ensure_future(ask()))
            flight.task.add_done_callback(lambda _: self._land(flight))
            if limit is not None:
                flight.timer = loop.call_later(limit, self._give_up, flight)
            self.started += 1
        else:
            self.shared += 1
        waiter: asyncio.Future[T] = loop.create_future()
        flight.waiting.add(waiter)
        try:
            return await waiter
        finally:
            flight.waiting.discard(waiter)
            if not flight.waiting:
                self._end(flight)

    def _land(self, flight: _Flight) -> None:
        task = flight.task
        error = None if task.cancelled() else task.exception()
        for waiter in flight.waiting:
            if waiter.done():
                continue  # its caller is leaving
            if task.cancelled():
                waiter.cancel()
            elif error is not None:
                waiter.set_exception(error)
            else:
                waiter.set_result(task.result())
        self._end(flight)

    def _give_up(self, flight: _Flight) -> None:
        for waiter in flight.waiting:
            if not waiter.done():
                waiter.set_exception(TimeoutError())
        self._end(flight)

    def _end(self, flight: _Flight) -> None:
        """Nobody may join it any more; what is left of it is cancelled."""
        if self._flying.get(flight.key) is flight:
            del self._flying[flight.key]
        if flight.timer is not None:
            flight.timer.cancel()
        flight.task.cancel()
