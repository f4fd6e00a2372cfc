"""Calls to InfluxDB: a transport with the token, and refusals as errors. One call at a time."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.failures import check
from nodetide_core.stores.influx.http import Reply, Transport
from nodetide_core.stores.influx.token import TokenSource

__all__ = ["ANSWER_LIMIT", "AnswerTooLarge", "Caller", "connect"]

#: Bytes of the largest answer: a million values and their times, twice over.
ANSWER_LIMIT = 64 * 2**20


class AnswerTooLarge(StoreRejected):
    """There is more than an answer may hold; a narrower question can be answered."""


class Caller:
    """Safe to share between threads, which then wait for each other.

    Args:
        answer_limit: bytes of the largest answer that `send` gives; not more than the transport reads.
    """

    def __init__(self, transport: Transport, token: TokenSource, *, answer_limit: int = ANSWER_LIMIT) -> None:
        self._transport = transport
        self._token = token
        self._answer_limit = answer_limit
        self._lock = threading.Lock()
        self._ended = False

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        doing: str,
        heard: Callable[[bytes], None] | None = None,
    ) -> Reply:
        """The answer to a request, if it is a success.

        Args:
            doing: what is asked, for the message of an error.
            heard: see `Transport.request`.

        Raises:
            StoreUnavailable, StoreRejected
        """
        reply = check(self.exchange(method, path, body, headers, heard), doing)
        if len(reply.body) >= self._answer_limit:
            raise AnswerTooLarge(f"{doing}: the answer is larger than {self._answer_limit} bytes; ask for less")
        return reply

    def exchange(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        heard: Callable[[bytes], None] | None = None,
    ) -> Reply:
        """The answer to a request, whatever its status.

        Raises:
            StoreUnavailable: there is none.
        """
        with self._lock:
            if self._ended:
                raise StoreUnavailable("the connection was ended")
            headers = {"Authorization": f"Token {self._token()}", **(headers or {})}
            return self._transport.request(method, path, body, headers, heard)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, doing: str = "") -> Any:
        """JSON to JSON; None where the answer is empty.

        Raises:
            StoreUnavailable, StoreRejected
        """
        payload = b"" if body is None else json.dumps(body).encode()
        reply = self.exchange(method, path, payload, {"Content-Type": "application/json"} if payload else None)
        doing = doing or f"{method} {path.partition('?')[0]}"
        answer = check(reply, doing).body
        try:
            return json.loads(answer) if answer else None
        except ValueError:
            raise StoreUnavailable(
                f"{doing}: what answers is not InfluxDB: check INFLUXDB_URL and proxies before it"
            ) from None

    def abort(self) -> None:
        """End a call under way in another thread, which then raises StoreUnavailable."""
        self._transport.abort()

    def close(self) -> None:
        """Let go of the connection; the next call makes another."""
        with self._lock:
            self._transport.close()

    def end(self) -> None:
        """For good: a call under way in another thread fails at once, and so does every later one."""
        self._ended = True
        self.abort()
        self.close()


def connect(config: StoreConfig, timeout: float, *, answer_limit: int = ANSWER_LIMIT) -> Caller:
    """A caller of its own; nothing is connected before the first call.

    Args:
        timeout: seconds for one call.
        answer_limit: bytes of the largest answer.
    """
    transport = Transport(config.url, ca_file=config.ca_file, timeout=timeout, answer_limit=answer_limit)
    return Caller(transport, config.token, answer_limit=answer_limit)
