"""A receiver of notifications that takes everything, and keeps it."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

__all__ = ["Message", "Received", "handler"]


@dataclass(frozen=True)
class Message:
    path: str
    authorization: str | None
    body: dict[str, Any]


@dataclass
class Received:
    """
    Attributes:
        url: of the receiver.
    """

    url: str = ""
    messages: list[Message] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def at(self, path: str) -> list[Message]:
        with self.lock:
            return [message for message in self.messages if message.path == path]


def handler(found: Received) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with found.lock:
                found.messages.append(Message(self.path, self.headers["Authorization"], body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
