"""What a turn of the evaluator tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nodetide_core.alerts.model import Transition
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.rules import AlertName
from nodetide_core.points import Tags

__all__ = ["MOST_FIRING", "AlertHealth", "FiringSeries", "Report"]

#: Firing series that are named for each alert.
MOST_FIRING = 20


@dataclass(frozen=True, slots=True)
class FiringSeries:
    """
    Attributes:
        since: Unix seconds at which it began to fire.
    """

    severity: str
    tags: Tags
    since: int
    value: float
    silenced: bool


@dataclass(frozen=True, slots=True)
class AlertHealth:
    """How one alert does.

    Attributes:
        error: why it could not be evaluated, naming alert, metric and bucket; empty: it could.
        pending, firing: states of its severities and series.
        series: of those that fire, longest first, `MOST_FIRING` at most.
        evaluated: Unix seconds of the last evaluation that succeeded; 0 before the first.
    """

    error: str = ""
    pending: int = 0
    firing: int = 0
    series: tuple[FiringSeries, ...] = ()
    evaluated: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """
    Attributes:
        transitions: since the turn before, each saved already.
        active: by raw bucket, alerts that fire, and those that ended in the last `machine.ENDED` seconds; a bucket of
            which nothing is known yet is left out.
        health: of every alert that is evaluated.
    """

    transitions: tuple[Transition, ...]
    active: Mapping[str, tuple[ActiveAlert, ...]]
    health: Mapping[AlertName, AlertHealth]
