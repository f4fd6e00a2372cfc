"""One thing to tell a receiver, and helpers that the formats share. Pure."""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import NamedTuple

from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.ports import Told, ToldKey

__all__ = ["Message", "Request", "Sent", "clean", "encode", "finite", "idempotency_key", "instant", "shorten"]

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Message:
    """
    Attributes:
        alert: as the receiver is told of it; one with an ``ends_at`` has ended.
        before: what the receiver was told last, if anything.
    """

    key: ToldKey
    alert: ActiveAlert
    before: Told | None = None

    @property
    def firing(self) -> bool:
        return self.alert.ends_at is None

    @property
    def severity_before(self) -> str:
        """That the receiver believes to fire; empty if none."""
        return self.before.severity if self.before else ""

    def told(self, at: int) -> Told:
        """What the receiver has been told once it has acknowledged this at that time."""
        return Told(self.alert.severity if self.firing else "", self.alert.starts_at, at)

    @property
    def identity(self) -> tuple[ToldKey, bool, str, int]:
        """The same for messages that say the same."""
        return (self.key, self.firing, self.alert.severity, self.alert.starts_at)


class Sent(NamedTuple):
    """What was acknowledged last in the life of this process; ``at`` is in Unix seconds."""

    firing: bool
    starts_at: int
    at: int


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """A POST of JSON. It may hold secrets, so it has no representation."""

    url: str
    body: bytes
    headers: dict[str, str]


def idempotency_key(message: Message) -> str:
    """The same for a message that is repeated, also after a restart, and for no other one.

    An alert may come back to a severity that it had before with the same start, so what was told in
    between counts.
    """
    before = message.before
    what = [*message.identity, before and [before.severity, before.starts_at, before.at]]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]


def encode(document: object) -> bytes:
    """As JSON, in which every text is valid Unicode."""
    return json.dumps(_cleaned(document), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _cleaned(document: object) -> object:
    if isinstance(document, str):
        return clean(document)
    if isinstance(document, dict):
        return {clean(key): _cleaned(value) for key, value in document.items()}
    if isinstance(document, (list, tuple)):
        return [_cleaned(value) for value in document]
    return document


def clean(text: str) -> str:
    """Names of hosts and paths may be no Unicode; what is not is replaced."""
    return _SURROGATE.sub("\ufffd", text)


def finite(value: float) -> float | None:
    """JSON knows no infinity, and no NaN."""
    return value if math.isfinite(value) else None


def instant(seconds: int) -> str:
    """Unix seconds in RFC 3339."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def shorten(text: str, limit: int) -> str:
    """At most so many characters, with an ellipsis where some are missing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
