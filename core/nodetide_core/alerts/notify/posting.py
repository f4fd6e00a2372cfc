"""Sending one request to a receiver: blocking, on a connection of its own, within a time.

Redirects are not followed and proxies of the environment not used; certificates are verified against the system's.
A connection serves one request: what is sent on a kept one may arrive twice without anybody knowing, and the
messages to one receiver are far apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit

from nodetide_core.alerts.notify.message import Request
from nodetide_core.errors import NodetideError, StoreUnavailable
from nodetide_core.stores.influx.http import Reply, Transport

__all__ = ["AddressWrong", "HttpPoster", "Poster", "Unanswered"]

_CONNECT = 3.0
_EXCHANGE = 8.0
_ANSWER = 2**16
#: What may stand in a path or query as it is; a percent sign is taken for the begin of an escape.
_AS_IT_IS = "/%:@!$&'()*+,;=~-._?[]"


class AddressWrong(NodetideError):
    """A receiver's address is none that can be used; the message says why, and not what it is."""


class Unanswered(NodetideError):
    """There is no answer; the message says why."""


class Poster(Protocol):
    def post(self, request: Request) -> Reply:
        """
        Raises:
            AddressWrong, Unanswered
        """

    def end(self) -> None:
        """From another thread, for good: what is under way fails at once, and so does all that comes."""


class HttpPoster:
    """A `Poster`; used by one thread, but for `end`.

    Args:
        ca_file: certificates to trust instead of the system's.
    """

    def __init__(
        self, *, ca_file: Path | None = None, connect_timeout: float = _CONNECT, timeout: float = _EXCHANGE
    ) -> None:
        self._ca_file = ca_file
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._transport: Transport | None = None
        self._ended = False

    def post(self, request: Request) -> Reply:
        origin, path = _split(request.url)
        transport = Transport(
            origin,
            ca_file=self._ca_file,
            connect_timeout=self._connect_timeout,
            timeout=self._timeout,
            answer_limit=_ANSWER,
        )
        self._transport = transport
        try:
            if self._ended:
                raise Unanswered("given up")
            return transport.request("POST", path, request.body, request.headers)
        except StoreUnavailable as error:
            raise Unanswered(str(error)) from None
        finally:
            self._transport = None
            transport.close()

    def end(self) -> None:
        self._ended = True
        transport = self._transport
        if transport is not None:
            transport.abort()


def _split(url: str) -> tuple[str, str]:
    """Scheme, host and port; and path with query."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna" if ":" not in (parts.hostname or "") else "ascii").decode()
    except ValueError:  # UnicodeError is one
        raise AddressWrong("its address cannot be read; it must be http:// or https:// with a host") from None
    if parts.scheme not in ("http", "https") or not host:
        raise AddressWrong("its address must be http:// or https:// with a host")
    if "@" in parts.netloc:
        raise AddressWrong("its address must hold no user and password; use secretRef")
    netloc = f"[{host}]" if ":" in host else host
    path = quote(parts.path or "/", safe=_AS_IT_IS)
    query = f"?{quote(parts.query, safe=_AS_IT_IS)}" if parts.query else ""
    return f"{parts.scheme}://{netloc}{f':{port}' if port else ''}", path + query
