"""What an alert is about, and where it stands.

Each severity of an alert is a machine of its own for each of its series, as a rule of Prometheus is: so a
``critical`` that ends leaves the ``warning`` below it firing since it began.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nodetide_core.points import Tags

__all__ = ["AlertKey", "AlertState", "Phase", "Reading", "Transition"]


class Phase(str, Enum):
    """``PENDING``: the level is reached, for less than ``for``. ``FIRING``: for longer, or it was and
    ``keepFiringFor`` still runs."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"


@dataclass(frozen=True, slots=True, order=True)
class AlertKey:
    """One machine.

    Attributes:
        bucket: the raw bucket of the policy's stream.
        tags: of the series, those that the alert is grouped by, sorted.
    """

    bucket: str
    alert: str
    severity: str
    tags: Tags


@dataclass(frozen=True, slots=True)
class Reading:
    """What one evaluation sees of one series.

    Attributes:
        value: in the metric's unit, of a counter its rate per second, of a deadman the seconds of silence.
    """

    tags: Tags
    value: float


@dataclass(frozen=True, slots=True)
class AlertState:
    """Where one machine stands. Times are Unix seconds of evaluations.

    While it does not fire, ``fired`` and ``left`` tell when it last did, for those who were not told of its end yet.

    Attributes:
        since: when the level was reached, without a break since; 0 while it is inactive.
        fired: when it began to fire; 0 if it never did, or that is long past.
        left: when the level was left while it goes on firing, 0 if it holds; where it does not fire, when it ended.
        seen: when there was data last.
        value: then.
    """

    phase: Phase = Phase.INACTIVE
    since: int = 0
    fired: int = 0
    left: int = 0
    seen: int = 0
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Transition:
    """
    Attributes:
        reason: why, where the values alone do not say it: ``no data``, ``node is gone``, ``suspended``,
            ``alert removed``.
    """

    key: AlertKey
    before: AlertState
    after: AlertState
    at: int
    reason: str = ""
