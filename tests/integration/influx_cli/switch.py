"""A network before a real InfluxDB that the test can cut: the server is real, the outage is the network's."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from enum import Enum
from types import TracebackType
from typing import Any

__all__ = ["Outage", "Switch"]

_REQUEST = re.compile(rb"(GET|POST|PUT|PATCH|DELETE) (/[^ ?]*)\S* HTTP/1\.1\r\n")


class Outage(Enum):
    #: Nobody listens, and what was connected is reset.
    REFUSED = "refused"
    #: Connections are taken and closed at once.
    CUT = "cut"
    #: Connections are taken and stay, and nothing comes back.
    HANGING = "hanging"


class Switch:
    """Forwards to a port of loopback, in a thread of its own.

    Attributes:
        requests: that came from clients, by ``METHOD /path``.
    """

    def __init__(self, port: int) -> None:
        self.requests: Counter[str] = Counter()
        self._port = port
        self._outage: Outage | None = None
        self._held: frozenset[str] = frozenset()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        # Bound and never listening: it keeps the port while nobody listens there.
        self._bound = self._socket(0)
        self.port: int = self._bound.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="switch", daemon=True)

    def __enter__(self) -> Switch:
        self._thread.start()
        self._call(self._start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()
        self._bound.close()

    @property
    def connections(self) -> int:
        """Open now, from clients and to the server."""
        return len(self._open)

    def fail(self, outage: Outage) -> None:
        async def begin() -> None:
            self._outage = outage
            if outage is Outage.HANGING:
                return
            if outage is Outage.REFUSED:
                self._server.close()
            await self._cut()

        self._call(begin)

    def mend(self) -> None:
        async def end() -> None:
            before, self._outage = self._outage, None
            if before is Outage.REFUSED:
                await self._listen()
            self._changed.set()
            self._changed.clear()

        self._call(end)

    @contextlib.contextmanager
    def holding(self, *requests: str) -> Iterator[None]:
        """Requests ``METHOD /path`` go no further while this lasts."""

        async def hold(what: frozenset[str]) -> None:
            self._held = what
            self._changed.set()
            self._changed.clear()

        self._call(lambda: hold(frozenset(requests)))
        try:
            yield
        finally:
            self._call(lambda: hold(frozenset()))

    def _call(self, work: Callable[[], Any]) -> None:
        asyncio.run_coroutine_threadsafe(work(), self._loop).result(120)

    async def _start(self) -> None:
        self._changed = asyncio.Event()
        await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, sock=self._socket(self.port))

    async def _end(self) -> None:
        self._server.close()
        await self._cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.sleep(0)

    @staticmethod
    def _socket(port: int) -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(("127.0.0.1", port))
        return made

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._outage is not None and self._outage is not Outage.HANGING:
            writer.transport.abort()
            return
        self._open.add(writer)
        to_server: asyncio.StreamWriter | None = None
        both: list[asyncio.Future[None]] = []
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
            self._open.add(to_server)
            both += [
                asyncio.ensure_future(self._pump(reader, to_server, self._admit)),
                asyncio.ensure_future(self._pump(from_server, writer, self._pass)),
            ]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, asyncio.CancelledError):
            pass  # the server is down, and so is the connection; or the test is over
        finally:
            for side in (writer, to_server):
                if side is not None:
                    side.transport.abort()
                    self._open.discard(side)
            for pump in both:
                pump.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, before: Callable[[bytes], Any]
    ) -> None:
        while data := await reader.read(2**16):
            await before(data)
            writer.write(data)
            await writer.drain()

    async def _admit(self, data: bytes) -> None:
        found = _REQUEST.match(data)
        if found:
            request = f"{found[1].decode()} {found[2].decode()}"
            self.requests[request] += 1
            while request in self._held:
                await self._changed.wait()
        await self._pass(data)

    async def _pass(self, _: bytes) -> None:
        while self._outage is Outage.HANGING:
            await self._changed.wait()
