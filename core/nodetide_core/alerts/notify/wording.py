"""An alert in words, for receivers that are read by people. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from nodetide_core.alerts.notify.message import Message
from nodetide_core.alerts.texts import format_value

__all__ = ["details", "headline", "labels_shown", "place"]

_SAID_ALREADY = frozenset({"alertname", "severity"})


def headline(message: Message) -> str:
    """Which alert, where, and what is new about it; one line."""
    alert = message.alert
    name = alert.labels.get("alertname") or alert.id
    where = place(alert.labels)
    text = " ".join(f"{name} on {where}".split()) if where else " ".join(name.split())
    if not message.firing:
        return f"Resolved: {text} ({alert.reason})" if alert.reason else f"Resolved: {text}"
    was = message.severity_before
    return f"{alert.severity.capitalize()}{f' (was {was})' if was else ''}: {text}"


def place(labels: Mapping[str, str]) -> str:
    """The host an alert is about; empty if it is about none."""
    return labels.get("host", "")


def details(message: Message) -> str:
    """What people wrote about it, and the value."""
    alert = message.alert
    texts = [alert.annotations.get("summary", ""), alert.annotations.get("description", "")]
    if math.isfinite(alert.value):
        texts.append(f"Value: {format_value(alert.value)}")
    return "\n".join(text for text in texts if text.strip())


def labels_shown(labels: Mapping[str, str]) -> str:
    """One line for each label that the headline lacks."""
    return "\n".join(f"{name}: {value}" for name, value in sorted(labels.items()) if name not in _SAID_ALREADY)
