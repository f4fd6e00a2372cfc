"""What an HTTP receiver is sent: one JSON object for each message, as docs/alert-receivers.md has it. Pure."""

from __future__ import annotations

from nodetide_core.alerts.notify.message import Message, Request, encode, finite, idempotency_key, instant

__all__ = ["request"]

_VERSION = "1"


def request(message: Message, *, url: str, secret: str | None) -> Request:
    """
    Args:
        secret: a bearer token.
    """
    alert = message.alert
    document = {
        "version": _VERSION,
        "status": "firing" if message.firing else "resolved",
        "id": alert.id,
        "severity": alert.severity,
        "previousSeverity": message.severity_before or None,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": instant(alert.starts_at),
        "endsAt": None if alert.ends_at is None else instant(alert.ends_at),
        "value": finite(alert.value),
        "reason": alert.reason or None,
    }
    headers = {"Content-Type": "application/json", "Idempotency-Key": f'"{idempotency_key(message)}"'}
    if secret is not None:
        headers["Authorization"] = f"Bearer {secret}"
    return Request(url, encode(document), headers)
