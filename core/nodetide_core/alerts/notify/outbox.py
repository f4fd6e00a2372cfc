"""What to tell a receiver now, from what is known and what it was told. Pure.

A receiver is brought to what is true **now**. What holds for all types:

- Whoever was told of a beginning is told of the end, also when the alert is silenced or the receiver's
  ``severities`` or ``match`` leave it out by then; until it ends, nothing is taken back. (An Alertmanager would
  take silence for the end and say so, which is wrong.)
- A silenced alert is not begun, and no change to its severity is told. If the silence ends while it fires, it is
  told then.
- What began and ended before it could be told is not told, for nobody should be woken up by what is over; it is
  counted (`unseen`). The same goes for an alert that ended and began again in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nodetide_core.alerts.notify import each, highest
from nodetide_core.alerts.notify.known import Known, rank
from nodetide_core.alerts.notify.message import Message, Sent
from nodetide_core.alerts.ports import Told, ToldKey
from nodetide_core.policy.spec import Notify

__all__ = ["due", "forgettable", "needed", "next_due", "unseen"]


def due(
    known: Known, told: Mapping[ToldKey, Told], sent: Mapping[ToldKey, Sent], receiver: Notify, *, now: int, phase: int
) -> list[Message]:
    """What to send, in that order: what fires before what has ended, the highest severity first, then the oldest.

    Args:
        told: of this receiver, by key.
        sent, phase: for receivers that are told of every severity; the second at which they are told again.
    """
    if each.applies(receiver):
        return sorted(each.due(known, told, sent, receiver, now=now, phase=phase), key=_order)
    return sorted(highest.due(known, told, receiver, now), key=_order)


def _order(message: Message) -> tuple[bool, int, int, str]:
    alert = message.alert
    return (not message.firing, rank(alert.severity), alert.ends_at or alert.starts_at, message.key.id)


def next_due(known: Known, receiver: Notify, now: int, phase: int) -> float:
    """Seconds until something is due by the clock alone; infinite where nothing will be."""
    return each.next_due(now, phase) if known and each.applies(receiver) else float("inf")


def needed(
    known: Known, given: Iterable[tuple[str, str]], told: Mapping[ToldKey, Told], receiver: Notify, now: int
) -> Known:
    """What is known, less what has ended, is not handed over any more, and the receiver need not hear of."""
    keep = set(given)
    still = each.still_needed if each.applies(receiver) else highest.still_needed
    return {key: alert for key, alert in known.items() if key in keep or still(alert, told, receiver, now)}


def forgettable(known: Known, told: Mapping[ToldKey, Told], receiver: Notify) -> list[ToldKey]:
    """Of what was told, what has no bearing on anything any more."""
    if each.applies(receiver):
        return each.forgettable(known, told, receiver)
    return highest.forgettable(known, told)


def unseen(known: Known, told: Mapping[ToldKey, Told], receiver: Notify) -> dict[ToldKey, int]:
    """When, at the latest, something ended of which the receiver was never told that it began, or that it had ended
    before it began again."""
    if each.applies(receiver):
        return each.unseen(known, told, receiver)
    return highest.unseen(known, told, receiver)
