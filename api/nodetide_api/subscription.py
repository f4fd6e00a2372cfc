"""What a client of the live stream receives, and the queue it waits in."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from nodetide_api.answers import encode
from nodetide_api.current import View, current_answer
from nodetide_api.timeparse import format_time
from nodetide_core.store import Latest

__all__ = ["Snapshot", "Status", "Subscription"]

#: Samples that wait for a slow client; past it the client skips to the newest.
_WAITING = 8


@dataclass(frozen=True)
class Snapshot:
    """The newest samples of a bucket at one time; rendered once per view, however many clients share it."""

    now: float
    found: tuple[Latest, ...]
    stale_after: float
    counter_gap: int
    _rendered: dict[View, bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def id(self) -> int:
        """The time of the newest sample; the server's own where there is none."""
        return max((latest.point.time for latest in self.found), default=int(self.now))

    def render(self, view: View) -> bytes:
        """A `models.Current` in JSON."""
        if view not in self._rendered:
            answer = current_answer(
                self.found, view, now=self.now, stale_after=self.stale_after, counter_gap=self.counter_gap
            )
            self._rendered[view] = encode(answer)
        return self._rendered[view]


@dataclass(frozen=True, slots=True)
class Status:
    """Whether the store answers, said when that changes."""

    ok: bool
    detail: str
    now: float

    def render(self) -> bytes:
        """A `models.StreamStatus` in JSON."""
        status = "ok" if self.ok else "unavailable"
        return encode({"status": status, "detail": self.detail, "time": format_time(self.now)})


class Subscription:
    """One client's queue: bounded, and never behind by more than it holds."""

    def __init__(self, on_skip: Callable[[int], None]) -> None:
        self._samples: deque[Snapshot] = deque()
        self._status: Status | None = None
        self._on_skip = on_skip
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, item: Snapshot | Status) -> None:
        """Adds an event; where the client is too slow, only the newest sample stays."""
        if isinstance(item, Status):
            self._status = item
        else:
            if len(self._samples) == _WAITING:
                self._on_skip(len(self._samples))
                self._samples.clear()
            self._samples.append(item)
        self._changed.set()

    def close(self) -> None:
        """Ends the stream at once."""
        self._closed = True
        self._changed.set()

    async def next(self) -> Snapshot | Status | None:
        """The next event, or None when the stream ends; a call that is cancelled loses nothing."""
        await self._changed.wait()
        if self._closed:
            return None
        # A change of the store's state overtakes samples: they are of before or carry their own time.
        if self._status is not None:
            item: Snapshot | Status = self._status
            self._status = None
        else:
            item = self._samples.popleft()
        if not self._samples and self._status is None:
            self._changed.clear()
        return item
