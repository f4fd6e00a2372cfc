"""Which alerts a receiver is judged by: those it was handed last, and ended ones it still has to hear of. Pure.

The evaluator hands over what fires and what ended lately; a receiver may be down for longer than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.policy.schema import SEVERITIES
from nodetide_core.policy.spec import Notify

__all__ = ["Known", "merge", "rank", "wanted"]

#: The newest run of each severity of each alert, by id and severity.
Known = Mapping[tuple[str, str], ActiveAlert]


def merge(before: Known, given: Iterable[ActiveAlert], now: int) -> dict[tuple[str, str], ActiveAlert]:
    """All that is given, and what was known before and isn't given any more; of that, what fired has ended now.

    Only the newest run of each counts: what is known of an older one must not end a newer. What was silenced when it
    ended stays so, whenever the silence ends.
    """
    known: dict[tuple[str, str], ActiveAlert] = {}
    for alert in given:
        key = (alert.id, alert.severity)
        if key not in known or _newer(alert, known[key]):
            known[key] = alert
    for key, alert in before.items():
        if key in known:
            now_known = known[key]
            if alert.silenced and now_known.ends_at is not None and now_known.starts_at == alert.starts_at:
                known[key] = replace(now_known, silenced=True)
        else:
            known[key] = alert if alert.ends_at is not None else replace(alert, ends_at=max(now, alert.starts_at))
    return known


def _newer(one: ActiveAlert, other: ActiveAlert) -> bool:
    return (one.starts_at, one.ends_at is None) > (other.starts_at, other.ends_at is None)


def wanted(alert: ActiveAlert, receiver: Notify) -> bool:
    """Whether a receiver is for an alert."""
    return alert.severity in receiver.severities and all(
        alert.labels.get(name) == value for name, value in receiver.match.items()
    )


def rank(severity: str) -> int:
    """0 for the highest."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
