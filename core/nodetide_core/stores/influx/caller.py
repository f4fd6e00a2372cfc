"""Calls to InfluxDB: a transport with the token, and refusals as errors. One call at a time."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

from nodetide_core.errors import StoreRejected
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.failures import check
from nodetide_core.stores.influx.http import Reply, Transport
from nodetide_core.stores.influx.token import TokenSource

__all__ = ["ANSWER_LIMIT", "Caller", "connect"]

#: Bytes of the largest answer: a million values and their times, twice over.
ANSWER_LIMIT = 64 * 2**20


class Caller:
    """Safe to share between threads, which then wait for each other."""

    def __init__(self, transport: Transport, token: TokenSource) -> None:
        self._transport = transport
        self._token = token
        self._lock = threading.Lock()

    def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, doing: str
    ) -> Reply:
        """The answer to a request, if it is a success.

        Args:
            doing: what is asked, for the message of an error.

        Raises:
            StoreUnavailable, StoreRejected
        """
        reply = check(self.exchange(method, path, body, headers), doing)
        if len(reply.body) >= ANSWER_LIMIT:
            raise StoreRejected(f"{doing}: the answer is larger than {ANSWER_LIMIT} bytes; ask for less")
        return reply

    def exchange(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        """The answer to a request, whatever its status.

        Raises:
            StoreUnavailable: there is none.
        """
        with self._lock:
            return self._transport.request(
                method, path, body, {"Authorization": f"Token {self._token()}", **(headers or {})}
            )

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, doing: str = "") -> Any:
        """JSON to JSON; None where the answer is empty.

        Raises:
            StoreUnavailable, StoreRejected
        """
        payload = b"" if body is None else json.dumps(body).encode()
        reply = self.exchange(method, path, payload, {"Content-Type": "application/json"} if payload else None)
        answer = check(reply, doing or f"{method} {path.partition('?')[0]}").body
        return json.loads(answer) if answer else None

    def abort(self) -> None:
        """End a call under way in another thread, which then raises StoreUnavailable."""
        self._transport.abort()

    def close(self) -> None:
        """Let go of the connection; the next call makes another."""
        with self._lock:
            self._transport.close()


def connect(config: StoreConfig, timeout: float) -> Caller:
    """A caller of its own; nothing is connected before the first call.

    Args:
        timeout: seconds for one call.
    """
    transport = Transport(config.url, ca_file=config.ca_file, timeout=timeout, answer_limit=ANSWER_LIMIT)
    return Caller(transport, config.token)
