"""What one receiver has still to be told, in order, and what became of it so far.

Not for two threads at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence

from nodetide_core.alerts.notify import outbox
from nodetide_core.alerts.notify.acks import Acks
from nodetide_core.alerts.notify.compose import batch_limit
from nodetide_core.alerts.notify.known import Known, merge
from nodetide_core.alerts.notify.message import Message, Sent
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.ports import ToldKey
from nodetide_core.policy.spec import Notify

__all__ = ["Backlog"]


class Backlog:
    """Times are Unix seconds.

    Args:
        bucket: of the policy; with the receiver's name it says at which second of a minute things are told again.

    Attributes:
        known: whether anything was handed over yet.
        missed: alerts that ended, or did and began again, before they could be told.
    """

    def __init__(self, bucket: str, receiver: Notify, acks: Acks) -> None:
        self.missed = 0
        self._receiver = receiver
        self._acks = acks
        self._phase = zlib.crc32(f"{bucket}/{receiver.name}".encode()) % 60
        self._known: Known | None = None
        self._given: frozenset[tuple[str, str]] = frozenset()
        self._queue: list[Message] | None = None
        self._sent: dict[ToldKey, Sent] = {}
        self._refused: set[tuple[ToldKey, bool, str, int]] = set()
        self._tries: dict[ToldKey, int] = {}
        self._unseen: dict[ToldKey, int] = {}
        self._limit = batch_limit(receiver)

    @property
    def known(self) -> bool:
        return self._known is not None

    def configure(self, receiver: Notify) -> None:
        """Go by this from now on; what was refused may be taken now."""
        if receiver != self._receiver:
            self._limit = batch_limit(receiver)
        self._receiver = receiver
        self._refused.clear()
        self._queue = None

    def take_over(self, alerts: Iterable[ActiveAlert], now: int) -> None:
        """All that fire, and what ended lately."""
        given = list(alerts)
        self._given = frozenset((alert.id, alert.severity) for alert in given)
        self._known = merge(self._known or {}, given, now)
        self.settle(now)

    def settle(self, now: int) -> None:
        """Count what was missed, and let go of what has no bearing any more; also to be called when what was told
        has been loaded."""
        self._queue = None
        if self._known is None or not self._acks.loaded:
            return
        told = self._acks.told
        unseen = outbox.unseen(self._known, told, self._receiver)
        self.missed += sum(at > self._unseen.get(key, -1) for key, at in unseen.items())
        self._unseen = unseen
        self._known = outbox.needed(self._known, self._given, told, self._receiver, now)
        for key in outbox.forgettable(self._known, told, self._receiver):
            self._acks.book(key, None)
            self._sent.pop(key, None)
        due = {message.key for message in self._due(now)}
        self._tries = {key: tries for key, tries in self._tries.items() if key in due}
        self._refused = {identity for identity in self._refused if identity[0] in due}

    def queue(self, now: int) -> list[Message]:
        """What is to be sent now, what failed less often before what failed more often."""
        if not self._queue:
            due = [message for message in self._due(now) if message.identity not in self._refused]
            self._queue = sorted(due, key=lambda message: self._tries.get(message.key, 0))
        return self._queue

    def _due(self, now: int) -> list[Message]:
        if self._known is None or not self._acks.loaded:
            return []
        return outbox.due(self._known, self._acks.told, self._sent, self._receiver, now=now, phase=self._phase)

    def batch(self, now: int) -> list[Message]:
        """What one request is to hold."""
        return self.queue(now)[: self._limit]

    def next_due(self, now: int) -> float:
        """Seconds until something is due by the clock alone."""
        return outbox.next_due(self._known or {}, self._receiver, now, self._phase)

    def taken(self, batch: Sequence[Message], now: int) -> None:
        for message in batch:
            told = message.told(now)
            before = self._acks.told.get(message.key)
            if before is None or (before.severity, before.starts_at) != (told.severity, told.starts_at):
                self._acks.book(message.key, told)
            self._sent[message.key] = Sent(message.firing, message.alert.starts_at, now)
            self._tries.pop(message.key, None)
        if self._queue is not None and self._queue[: len(batch)] == batch:
            del self._queue[: len(batch)]
        else:  # it was made anew meanwhile, without regard to what was under way
            self._queue = None
        self._limit = min(2 * self._limit, batch_limit(self._receiver))

    def failed(self, batch: Sequence[Message]) -> None:
        """To be tried again, after all others."""
        for message in batch:
            self._tries[message.key] = self._tries.get(message.key, 0) + 1
        self._queue = None

    def refused(self, batch: Sequence[Message], now: int) -> Message | None:
        """The message that is given up; none if it may be one of several, which are tried in smaller batches."""
        self.failed(batch)
        if len(batch) > 1:
            self._limit = len(batch) // 2
            return None
        (message,) = batch
        self._refused.add(message.identity)
        if not message.firing:  # there is nothing more to say
            self._acks.book(message.key, message.told(now))
        return message
