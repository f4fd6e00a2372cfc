"""From messages to the request that tells a receiver. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from nodetide_core.alerts.notify import alertmanager, http, pagerduty, slack
from nodetide_core.alerts.notify.message import Message, Request
from nodetide_core.policy.spec import Notify

__all__ = ["batch_limit", "compose"]

#: Alerts in one request to Alertmanager.
_BATCH = 64


def batch_limit(receiver: Notify) -> int:
    """How many messages one request may hold."""
    return _BATCH if receiver.type == "alertmanager" else 1


def compose(receiver: Notify, messages: Sequence[Message], secret: str | None, now: int) -> Request:
    """
    Args:
        messages: at least one, at most `batch_limit`.
        secret: what the receiver's ``secretRef`` holds, if it has one.
    """
    if receiver.type == "alertmanager":
        return alertmanager.request(messages, url=receiver.url or "", secret=secret, now=now)
    (message,) = messages
    if receiver.type == "slack":
        return slack.request(message, url=secret or "")
    if receiver.type == "pagerduty":
        return pagerduty.request(message, url=receiver.url, secret=secret or "")
    return http.request(message, url=receiver.url or "", secret=secret)
