"""For Alertmanager: every severity is an alert of its own, told again and again, as Prometheus does. Pure.

- What fires is told again every minute, to end by itself four minutes later: so it does if we die.
- What has ended is told again for a quarter of an hour, acknowledged or not: Alertmanager keeps alerts in memory
  only, and one that restarts between taking an end and telling it would never tell it.
- An end that could not be told is told however late; Alertmanager remembers across restarts whom it told of what.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nodetide_core.alerts.notify.known import Known, wanted
from nodetide_core.alerts.notify.message import Message, Sent
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.ports import Told, ToldKey
from nodetide_core.policy.spec import Notify

__all__ = ["RESOLVED_FOR", "applies", "due", "forgettable", "next_due", "still_needed", "unseen"]

#: Seconds between two times of telling the same.
_EVERY = 60
#: Seconds for which an end is told again.
RESOLVED_FOR = 15 * 60


def applies(receiver: Notify) -> bool:
    return receiver.type == "alertmanager"


def due(
    known: Known,
    told: Mapping[ToldKey, Told],
    sent: Mapping[ToldKey, Sent],
    receiver: Notify,
    *,
    now: int,
    phase: int,
) -> Iterator[Message]:
    for alert in known.values():
        key = _key(receiver, alert)
        before = told.get(key)
        last = sent.get(key)
        news = last is None or (last.firing, last.starts_at) != (alert.ends_at is None, alert.starts_at)
        again = last is not None and _period(last.at, phase) != _period(now, phase)
        if (news or again) and _tell(alert, before, receiver, now):
            yield Message(key, alert, before)


def _tell(alert: ActiveAlert, before: Told | None, receiver: Notify, now: int) -> bool:
    if alert.ends_at is None:
        return bool(before and before.severity) or (wanted(alert, receiver) and not alert.silenced)
    return _end_matters(alert, before, now)


def _end_matters(alert: ActiveAlert, before: Told | None, now: int) -> bool:
    if before is None:
        return False
    if before.severity:
        return True
    return before.starts_at == alert.starts_at and now < (alert.ends_at or 0) + RESOLVED_FOR


def _period(at: int, phase: int) -> int:
    # A common beat, so that what fires goes out together and not a request for each.
    return (at - phase) // _EVERY


def next_due(now: int, phase: int) -> float:
    return _EVERY - (now - phase) % _EVERY


def still_needed(alert: ActiveAlert, told: Mapping[ToldKey, Told], receiver: Notify, now: int) -> bool:
    return _end_matters(alert, told.get(_key(receiver, alert)), now)


def forgettable(known: Known, told: Mapping[ToldKey, Told], receiver: Notify) -> list[ToldKey]:
    # Of what fired when we died, and is not known any more, the end came by itself.
    keys = {_key(receiver, alert) for alert in known.values()}
    return [key for key in told if key not in keys]


def unseen(known: Known, told: Mapping[ToldKey, Told], receiver: Notify) -> dict[ToldKey, int]:
    found = {}
    for alert in known.values():
        key = _key(receiver, alert)
        before = told.get(key)
        if alert.ends_at is None or alert.silenced or not wanted(alert, receiver):
            continue
        if before is None or (not before.severity and before.starts_at < alert.starts_at):
            found[key] = alert.ends_at
    return found


def _key(receiver: Notify, alert: ActiveAlert) -> ToldKey:
    return ToldKey(receiver.name, f"{alert.id}/{alert.severity}")
