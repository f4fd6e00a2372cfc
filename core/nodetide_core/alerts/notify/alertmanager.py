"""What Alertmanager is sent: ``POST /api/v2/alerts`` with an array, as Prometheus does. Pure.

https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nodetide_core.alerts.notify.message import Message, Request, encode, instant

__all__ = ["ENDS_AFTER", "request"]

#: Seconds after which an alert ends of which nothing more is heard.
ENDS_AFTER = 4 * 60
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]")


def request(messages: Sequence[Message], *, url: str, secret: str | None, now: int) -> Request:
    """
    Args:
        url: of Alertmanager; a path in it is kept.
        secret: a bearer token.
    """
    headers = {"Content-Type": "application/json"}
    if secret is not None:
        headers["Authorization"] = f"Bearer {secret}"
    alerts = [_alert(message, now) for message in messages]
    return Request(f"{url.rstrip('/')}/api/v2/alerts", encode(alerts), headers)


def _alert(message: Message, now: int) -> dict[str, Any]:
    alert = message.alert
    notes = {"reason": alert.reason, **alert.annotations} if alert.reason else alert.annotations
    # An end before the start is refused, and a clock may have been set back.
    ends_at = max(now, alert.starts_at) + ENDS_AFTER if alert.ends_at is None else max(alert.ends_at, alert.starts_at)
    return {
        "labels": _named(alert.labels),
        "annotations": _named(notes),
        "startsAt": instant(alert.starts_at),
        "endsAt": instant(ends_at),
    }


def _named(texts: Mapping[str, str]) -> dict[str, str]:
    """Under names that Alertmanager takes, one for each: labels are what tells alerts apart there."""
    exact = {name for name in texts if _name(name) == name}
    named = {}
    for name in sorted(texts, key=lambda name: (name not in exact, name)):
        free = _name(name)
        while free in named:
            free += "_"
        named[free] = texts[name]
    return named


def _name(name: str) -> str:
    spelled = _NOT_IN_NAMES.sub("_", name)
    return f"tag_{spelled}" if not spelled or spelled[0].isdigit() else spelled
