"""What InfluxDB's answer to a write means.

Data is given up only where InfluxDB itself says that it can never take it. Anything else, such as a
400 from a proxy, keeps the data and says what to look at.
"""

from __future__ import annotations

import email.utils
import json
import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote

from nodetide_core.stores.influx.http import Reply

__all__ = ["Kind", "Verdict", "judge", "retry_after", "write_path"]

#: The last one is InfluxDB's own; others may stand in names that it quotes.
_DROPPED = re.compile(r".*\bdropped=([0-9]+)", re.DOTALL)
#: Statuses, of InfluxDB and of what may stand before it, that have nothing to do with what was sent.
_WAITING = frozenset({408, 429, 499, 502, 503, 504})
#: Longest reason that is passed on, in characters.
_REASON = 300


class Kind(Enum):
    """What to do with what was sent."""

    SENT = "sent"
    #: Taken but for `Verdict.dropped` points, which can never be.
    PARTIAL = "partial"
    #: Nothing was taken, because of one or more lines that can never be.
    REJECTED = "rejected"
    #: Nothing was taken; less at a time may be.
    TOO_LARGE = "too large"
    #: InfluxDB failed over it; if that goes on, some line may be the cause.
    FAILED = "failed"
    #: The server does not take anything now.
    BUSY = "busy"
    #: The server takes nothing from us until a person changes something.
    DENIED = "denied"
    #: As DENIED, but only for this bucket.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    Attributes:
        reason: what went wrong, for people; of DENIED and REFUSED, with what to change.
        dropped: points of a PARTIAL that were not taken.
        retry_after: seconds that the server asks to wait, if it does.
    """

    kind: Kind
    reason: str = ""
    dropped: int = 0
    retry_after: float | None = None


def write_path(org: str, bucket: str) -> str:
    """Where lines with second precision are posted."""
    return f"/api/v2/write?org={quote(org, safe='')}&bucket={quote(bucket, safe='')}&precision=s"


def judge(reply: Reply, *, org: str, bucket: str, now: float) -> Verdict:
    """The meaning of an answer to a write.

    Args:
        now: Unix seconds, for a ``Retry-After`` that is a date.
    """
    status = reply.status
    if 200 <= status < 300:
        return Verdict(Kind.SENT)
    code, message = _error(reply)
    said = _said(status, message)
    if status == 400 and code == "invalid" and "unable to parse '" in message:
        return Verdict(Kind.REJECTED, message)
    if status == 422 and code and (lost := _DROPPED.search(message)):
        return Verdict(Kind.PARTIAL, message[:_REASON], dropped=int(lost[1]))
    if status in _WAITING or status >= 500:
        # After storage-write-timeout InfluxDB gives up waiting, but not writing: it has too much to do, whatever
        # the lines are.
        busy = status in _WAITING or not code or message.endswith(": timeout")
        kind = Kind.BUSY if busy else Kind.FAILED
        return Verdict(kind, said, retry_after=retry_after(reply, now))
    return Verdict(Kind.TOO_LARGE, said) if status == 413 else _fix(status, code, message, org=org, bucket=bucket)


def _fix(status: int, code: str, message: str, *, org: str, bucket: str) -> Verdict:
    """What a person has to change."""
    said = _said(status, message)
    if status == 401:
        return Verdict(Kind.DENIED, f"the token is missing, wrong or revoked: check INFLUXDB_TOKEN ({said})")
    if status == 403:
        return Verdict(
            Kind.REFUSED, f"the token may not write to bucket {bucket!r}: give it write permission for it ({said})"
        )
    if status == 404 and code == "not found":
        if "organization" in message:
            return Verdict(
                Kind.DENIED,
                f"organization {org!r} does not exist, or the token is of another: check INFLUXDB_ORG ({said})",
            )
        return Verdict(Kind.REFUSED, f"bucket {bucket!r} does not exist in organization {org!r}: create it ({said})")
    if code:
        return Verdict(Kind.REFUSED, f"InfluxDB refuses the request: check INFLUXDB_ORG and the bucket's name ({said})")
    return Verdict(
        Kind.DENIED, f"what answers is not InfluxDB's write API: check INFLUXDB_URL and proxies before it ({said})"
    )


def _said(status: int, message: str) -> str:
    return f"HTTP {status}: {message[:_REASON]}" if message else f"HTTP {status}"


def _error(reply: Reply) -> tuple[str, str]:
    """InfluxDB's own code and message, or no code and what text there is."""
    try:
        document = json.loads(reply.body)
        code, message = document["code"], document["message"]
    except (ValueError, LookupError, TypeError):
        text = reply.body[:_REASON].decode("utf-8", "replace")
        return "", " ".join(text.split())
    return (code, message) if isinstance(code, str) and isinstance(message, str) else ("", "")


def retry_after(reply: Reply, now: float) -> float | None:
    """Seconds that an answer asks to wait, as a number or a date; None where it says nothing that makes sense.

    Args:
        now: Unix seconds.
    """
    text = reply.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    if not text:
        return None
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (TypeError, ValueError, OverflowError):
        return None
