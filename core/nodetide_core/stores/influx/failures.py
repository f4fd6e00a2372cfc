"""What InfluxDB's refusals mean to the caller of a store."""

from __future__ import annotations

import json
import re

from nodetide_core.errors import StoreError, StoreRejected, StoreUnavailable
from nodetide_core.stores.influx.http import Reply

__all__ = ["TokenRefused", "check", "in_answer"]

#: How a query that could not even wait for its turn is refused, with 400.
_BUSY = re.compile(r"queue|too many|memory|timeout|deadline|shutdown|engine is closed", re.IGNORECASE)
#: Seconds after which it makes sense to look whether a person has changed the token.
_TOKEN_RETRY = 30.0
#: How a token is refused that is right, but may not do this; a wrong one gets no more than "unauthorized access".
_NOT_ALLOWED = re.compile(r"(read|write):\S+ is unauthorized")
_MESSAGE = 500


class TokenRefused(StoreUnavailable):
    """InfluxDB does not know the token, or the token may not do this."""


def check(reply: Reply, doing: str) -> Reply:
    """``reply``, if it is a success.

    Args:
        doing: what was asked, for people.

    Raises:
        StoreUnavailable: the server is busy or failing, or refuses the token.
        StoreRejected: it refuses the request for good.
    """
    if 200 <= reply.status < 300:
        return reply
    raise _error(reply, doing)


def in_answer(message: str, doing: str) -> StoreError:
    """The error that a 200 carries inside."""
    if _BUSY.search(message):
        return StoreUnavailable(f"{doing}: {message}")
    if message == "not executed":  # of several statements, where one names a database that is not there
        message = "a bucket is not there, or the token may not read it"
    return StoreRejected(f"{doing}: {message}")


def _error(reply: Reply, doing: str) -> StoreError:
    status, message = reply.status, _message(reply)
    said = f"{doing}: HTTP {status}{': ' if message else ''}{message}"
    if status == 401 and not _NOT_ALLOWED.fullmatch(message):
        return TokenRefused(f"{said}; the token is missing, wrong or revoked: check INFLUXDB_TOKEN", _TOKEN_RETRY)
    if status in (401, 403):
        return TokenRefused(f"{said}; the token does not allow it", _TOKEN_RETRY)
    if status in (408, 429) or status >= 500 or (status == 400 and _BUSY.search(message)):
        after = reply.headers.get("retry-after", "")
        return StoreUnavailable(said, float(after)) if after.isdecimal() else StoreUnavailable(said)
    return StoreRejected(said)


def _message(reply: Reply) -> str:
    try:
        document = json.loads(reply.body)
        text = str(document.get("message") or document.get("error") or "")
    except (ValueError, AttributeError):
        text = reply.body[:_MESSAGE].decode("utf-8", "replace")
    return " ".join(text.split())[:_MESSAGE]
