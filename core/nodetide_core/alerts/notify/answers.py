"""What the answer of a receiver means. Pure.

A message is given up only where the receiver says that this message can never be taken. Where a person has to change
something first (a token, an address), messages wait for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nodetide_core.stores.influx.http import Reply
from nodetide_core.stores.influx.verdict import retry_after

__all__ = ["Kind", "Verdict", "judge"]

#: Characters of what a receiver says that are passed on.
_REASON = 200
#: Statuses below 500 that say nothing of the message: later it may be taken.
_LATER = frozenset({408, 425, 429})
#: Those about the address or whoever asks; Slack answers so for a webhook that is revoked or a channel archived.
_DENIED = {
    401: "check the secret",
    403: "check the secret and what it may do",
    404: "check the address",
    405: "check the address",
    407: "a proxy wants a password",
    410: "the address is no more; make a new one",
}


class Kind(Enum):
    TAKEN = "taken"
    #: Not now.
    LATER = "later"
    #: Not until a person changes something.
    DENIED = "denied"
    #: This message never.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    Attributes:
        reason: what went wrong, for people.
        retry_after: of LATER, seconds that the receiver asks to wait, if it does.
    """

    kind: Kind
    reason: str = ""
    retry_after: float | None = None


def judge(reply: Reply, kind: str, now: float) -> Verdict:
    """
    Args:
        kind: the receiver's type.
        now: Unix seconds.
    """
    status = reply.status
    if 200 <= status < 300:
        return Verdict(Kind.TAKEN)
    said = _said(reply)
    if 300 <= status < 400:
        return Verdict(Kind.DENIED, f"it redirects, which is not followed: give the address it redirects to ({said})")
    if status in _DENIED:
        return Verdict(Kind.DENIED, f"{_DENIED[status]} ({said})")
    if status in _LATER or status >= 500 or status < 200:
        return Verdict(Kind.LATER, said, retry_after(reply, now))
    if kind == "pagerduty" and "routing" in said.lower():
        # PagerDuty answers a wrong routing key as it does a wrong event.
        return Verdict(Kind.DENIED, f"check the routing key ({said})")
    return Verdict(Kind.REFUSED, said)


def _said(reply: Reply) -> str:
    text = " ".join(reply.body[: 4 * _REASON].decode("utf-8", "replace").split())
    shown = "".join(character if character.isprintable() else "?" for character in text[:_REASON])
    return f"HTTP {reply.status}: {shown}" if shown else f"HTTP {reply.status}"
