"""What PagerDuty is sent: alert events of its Events API v2. Pure.

https://developer.pagerduty.com/docs/events-api-v2/trigger-events/: a summary of at most 1,024 characters, a
``dedup_key`` of at most 255, an event of at most 512 KB; answered with 202.
"""

from __future__ import annotations

import hashlib
from typing import Any

from nodetide_core.alerts.notify.message import Message, Request, clean, encode, finite, instant, shorten
from nodetide_core.alerts.notify.wording import headline, place

__all__ = ["URL", "dedup_key", "request"]

URL = "https://events.pagerduty.com/v2/enqueue"
_SUMMARY = 1024
_KEY = 255
_EVENT = 500_000
#: Characters of each text in an event that would be too large.
_TEXT = 500
#: Those of PagerDuty, but ``error``, which we have nothing like.
_SEVERITIES = {"critical": "critical", "warning": "warning", "info": "info"}


def request(message: Message, *, url: str | None, secret: str) -> Request:
    """
    Args:
        url: instead of PagerDuty's own.
        secret: the routing key.
    """
    body = encode(_event(message, secret, None))
    if len(body) > _EVENT:
        body = encode(_event(message, secret, _TEXT))
    return Request(url or URL, body, {"Content-Type": "application/json"})


def dedup_key(id_: str) -> str:
    """What PagerDuty knows an alert by; an id that is too long for it is replaced by its hash."""
    return id_ if len(clean(id_)) <= _KEY else hashlib.sha256(id_.encode("utf-8", "surrogatepass")).hexdigest()


def _event(message: Message, routing_key: str, limit: int | None) -> dict[str, Any]:
    alert = message.alert
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "trigger" if message.firing else "resolve",
        "dedup_key": dedup_key(alert.id),
    }

    def fit(text: str) -> str:
        return text if limit is None else shorten(text, limit)

    summary = alert.annotations.get("summary", "").strip()
    line = headline(message)
    event["payload"] = {
        "summary": shorten(f"{line}: {summary}" if summary else line, _SUMMARY),
        "source": fit(place(alert.labels) or alert.labels.get("policy") or "nodetide"),
        "severity": _SEVERITIES.get(alert.severity, "info"),
        "timestamp": instant(alert.starts_at if alert.ends_at is None else alert.ends_at),
        "class": fit(alert.labels.get("alertname") or alert.id),
        "custom_details": {
            "value": finite(alert.value),
            "labels": {fit(name): fit(text) for name, text in alert.labels.items()},
            "annotations": {fit(name): fit(text) for name, text in alert.annotations.items()},
            **({"reason": alert.reason} if alert.reason else {}),
        },
    }
    runbook = alert.annotations.get("runbook_url", "")
    if runbook.startswith(("http://", "https://")) and runbook == fit(runbook):
        event["links"] = [{"href": runbook, "text": "Runbook"}]
    return event
