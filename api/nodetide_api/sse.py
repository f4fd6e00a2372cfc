"""Server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from nodetide_api.current import View
from nodetide_api.limits import within
from nodetide_api.live import Live
from nodetide_api.subscription import Status
from nodetide_core.store import Stream

__all__ = ["EventStream", "comment", "event", "follow"]

#: Milliseconds a client should wait before it connects again.
_RETRY = 2000


class EventStream(StreamingResponse):
    """A response of events that lets go of its source as soon as the client has gone."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        # X-Accel-Buffering: nginx would hold events back until its buffer is full.
        super().__init__(events, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._events.aclose()


def event(name: str, data: bytes, id: int, retry: int | None = None) -> bytes:
    """One event; ``data`` is one line."""
    head = f"retry: {retry}\n" if retry is not None else ""
    return b"".join((f"{head}id: {id}\nevent: {name}\ndata: ".encode(), data, b"\n\n"))


def comment(text: str) -> bytes:
    """A line that clients ignore: it only shows that the connection lives."""
    return f": {text}\n\n".encode()


async def follow(live: Live, stream: Stream, view: View, keep_alive: float) -> AsyncGenerator[bytes, None]:
    """The events of one client, until it leaves (which closes this generator) or the server stops.

    Args:
        keep_alive: seconds of silence after which a comment is sent.
    """
    subscription = live.subscribe(stream)
    try:
        yield comment("nodetide") + f"retry: {_RETRY}\n\n".encode()
        while True:
            try:
                item = await within(keep_alive, subscription.next())
            except TimeoutError:
                yield comment("keep-alive")
                continue
            if item is None:
                return
            if isinstance(item, Status):
                yield event("status", item.render(), int(item.now))
            else:
                yield event("sample", item.render(view), item.id)
    finally:
        live.unsubscribe(stream, subscription)
