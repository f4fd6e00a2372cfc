"""Reads in a few threads, each with its own kept-alive connection; a reader that leaves closes its
connection, upon which InfluxDB stops the query."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from nodetide_core.errors import StoreUnavailable
from nodetide_core.stores.influx.caller import Caller

__all__ = ["CallerPool"]

_T = TypeVar("_T")


class _Question:
    """One read, from being asked to its end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._caller: Caller | None = None
        self._given_up = False

    def begin(self, caller: Caller) -> None:
        with self._lock:
            if self._given_up:
                raise StoreUnavailable("the query was given up")
            self._caller = caller

    def end(self) -> None:
        with self._lock:
            if self._given_up and self._caller is not None:
                self._caller.close()  # so that an abort that came too late does not hit the next one
            self._caller = None

    def give_up(self) -> None:
        with self._lock:
            self._given_up = True
            if self._caller is not None:
                self._caller.abort()


class CallerPool:
    """
    Args:
        connect: makes a caller for a thread.
        threads: so many reads run at once; more of them wait.
    """

    def __init__(self, connect: Callable[[], Caller], threads: int) -> None:
        self._connect = connect
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="influx-read")
        self._local = threading.local()
        self._lock = threading.Lock()
        self._callers: list[Caller] = []
        self._running: set[_Question] = set()
        self._closed = False

    async def run(self, work: Callable[[Caller], _T]) -> _T:
        """
        Raises:
            StoreUnavailable: the pool is closed; and whatever ``work`` raises.
        """
        question = _Question()
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            future = self._executor.submit(self._answer, question, work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            question.give_up()
            raise

    def _answer(self, question: _Question, work: Callable[[Caller], _T]) -> _T:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            self._running.add(question)
        try:
            question.begin(self._caller())
            return work(self._caller())
        finally:
            question.end()
            with self._lock:
                self._running.discard(question)

    def _caller(self) -> Caller:
        found: Caller | None = getattr(self._local, "caller", None)
        if found is None:
            found = self._local.caller = self._connect()
            with self._lock:
                self._callers.append(found)
        return found

    def close(self) -> None:
        """End what runs, wait for it, and let go; calling again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            running = list(self._running)
        for question in running:
            question.give_up()
        self._executor.shutdown(wait=True)
        for caller in self._callers:
            caller.close()
