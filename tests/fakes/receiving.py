"""A receiver of alerts on loopback: a real HTTP server that checks what arrives as the vendor would."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes import receivers

__all__ = ["Receiving", "receiving"]

PATIENCE = 120.0


@dataclass
class Receiving:
    """
    Attributes:
        kind: of `receivers`; ``any`` takes any JSON.
        status: of the answers from now on; 0: the connection is dropped, -1: there is no answer until `release` is set.
        taken: what was answered with a success.
        seen: requests, whatever became of them.
        wrong: what a vendor would have refused or shown wrongly.
    """

    kind: str
    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    said: bytes = b"ok"
    delay: float = 0.0
    taken: list[Any] = field(default_factory=list)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def wait(self, condition: Callable[[Receiving], bool]) -> None:
        """Until it holds, or fail."""
        end = time.monotonic() + PATIENCE
        while not condition(self):
            assert time.monotonic() < end, f"nothing of the kind; taken: {self.taken}, wrong: {self.wrong}"
            time.sleep(0.01)


@contextmanager
def receiving(kind: str) -> Iterator[Receiving]:
    state = Receiving(kind)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = state.status
            state.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            if status == -1:
                state.release.wait(PATIENCE)
            if status <= 0:
                self.close_connection = True
                return
            if state.delay:
                state.release.wait(state.delay)
            try:
                document = json.loads(body) if state.kind == "any" else getattr(receivers, state.kind)(body)
            except (AssertionError, KeyError, TypeError, ValueError) as error:
                state.wrong.append(f"{error!r}: {body!r}")
                status = 400
            else:
                if 200 <= status < 300:
                    state.taken.append(document)
            self.send_response(status)
            for name, value in {**state.headers, "Content-Length": str(len(state.said))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(state.said)

        def log_message(self, format: str, *args: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None: ...  # whoever asked may have gone

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        state.release.set()
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)
