"""For people: an alert is told by the highest severity that fires, once when it begins, when that changes and when
it ends. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from nodetide_core.alerts.notify.known import Known, rank, wanted
from nodetide_core.alerts.notify.message import Message
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.ports import Told, ToldKey
from nodetide_core.policy.spec import Notify

__all__ = ["due", "forgettable", "still_needed", "unseen"]


def due(known: Known, told: Mapping[ToldKey, Told], receiver: Notify, now: int) -> Iterator[Message]:
    runs = _by_id(known)
    for id_, alerts in runs.items():
        key = ToldKey(receiver.name, id_)
        before = told.get(key)
        severity = before.severity if before else ""
        firing = _standing(alerts, severity, receiver)
        if firing:
            first = min(firing, key=lambda alert: rank(alert.severity))
            if first.severity != severity:
                yield Message(key, first, before)
        elif before and severity:
            yield Message(key, _end(alerts, before, key, receiver, now), before)
    for key, before in told.items():
        if before.severity and key.id not in runs and not _of_each(key, before):
            yield Message(key, _end([], before, key, receiver, now), before)


def _standing(alerts: list[ActiveAlert], severity: str, receiver: Notify) -> list[ActiveAlert]:
    """What fires as far as the receiver is concerned: what it is to be told of, and what it was told of."""
    return [
        alert
        for alert in alerts
        if alert.ends_at is None and (alert.severity == severity or (wanted(alert, receiver) and not alert.silenced))
    ]


def _end(alerts: list[ActiveAlert], before: Told, key: ToldKey, receiver: Notify, now: int) -> ActiveAlert:
    """The run that ended last; where none is known any more, as after a long outage over a restart, what there is
    to say."""
    ended = [
        alert
        for alert in alerts
        if alert.ends_at is not None and (alert.severity == before.severity or wanted(alert, receiver))
    ]
    if ended:
        return max(ended, key=lambda alert: (alert.ends_at or 0, -rank(alert.severity)))
    return ActiveAlert(key.id, before.severity, {}, {}, before.starts_at, max(now, before.starts_at), math.nan)


def _of_each(key: ToldKey, before: Told) -> bool:
    """Whether this was told when the receiver was an Alertmanager."""
    return key.id.endswith(f"/{before.severity}")


def still_needed(alert: ActiveAlert, told: Mapping[ToldKey, Told], receiver: Notify, _now: int) -> bool:
    before = told.get(ToldKey(receiver.name, alert.id))
    return before is not None and before.severity != ""


def forgettable(known: Known, told: Mapping[ToldKey, Told]) -> list[ToldKey]:
    ids = {id_ for id_, _ in known}
    return [key for key, before in told.items() if key.id not in ids and (not before.severity or _of_each(key, before))]


def unseen(known: Known, told: Mapping[ToldKey, Told], receiver: Notify) -> dict[ToldKey, int]:
    found = {}
    for id_, alerts in _by_id(known).items():
        key = ToldKey(receiver.name, id_)
        before = told.get(key)
        if before is not None and before.severity:
            begun = _begun_again(alerts, before, receiver)
            if begun is not None:
                found[key] = begun
            continue
        ends = [
            alert.ends_at
            for alert in alerts
            if alert.ends_at is not None
            and not alert.silenced
            and wanted(alert, receiver)
            and (before is None or alert.ends_at > before.at)
        ]
        if ends:
            found[key] = max(ends)
    return found


def _begun_again(alerts: list[ActiveAlert], before: Told, receiver: Notify) -> int | None:
    """When what was told to fire began anew, if it had ended."""
    firing = _standing(alerts, before.severity, receiver)
    if not firing:
        return None
    ends = [alert.ends_at for alert in alerts if alert.severity == before.severity and alert.ends_at is not None]
    begun = min(alert.starts_at for alert in firing)
    return begun if begun > max(ends, default=before.at) else None


def _by_id(known: Known) -> dict[str, list[ActiveAlert]]:
    runs: dict[str, list[ActiveAlert]] = {}
    for alert in known.values():
        runs.setdefault(alert.id, []).append(alert)
    return runs
