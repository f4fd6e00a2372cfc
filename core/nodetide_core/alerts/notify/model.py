"""What receivers are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["ActiveAlert"]


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An alert that fires, or has ended since receivers were last told.

    Attributes:
        id: stable and unique for bucket, alert and series, whatever the severity.
        severity: ``critical``, ``warning`` or ``info``.
        labels: ``alertname``, ``severity``, ``policy``, ``namespace``, the series' tags and the alert's own.
        annotations: text for people: ``summary``, ``description``, ``runbook_url`` and others.
        starts_at: Unix seconds at which it began to fire.
        ends_at: at which it ended; None while it fires.
        value: newest.
        reason: why it ended, where that is not that the value recovered.
        silenced: receivers are not told of it.
    """

    id: str
    severity: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: int
    ends_at: int | None
    value: float
    reason: str = ""
    silenced: bool = False
