"""One receiver of one policy: when it is told, and what follows from its answers."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from nodetide_core.alerts.notify.acks import Acks
from nodetide_core.alerts.notify.answers import Kind, Verdict
from nodetide_core.alerts.notify.attempt import Secrets, attempt
from nodetide_core.alerts.notify.backlog import Backlog
from nodetide_core.alerts.notify.health import Condition, Health
from nodetide_core.alerts.notify.message import Message
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.notify.posting import Poster
from nodetide_core.alerts.ports import AlertMemory
from nodetide_core.backoff import Backoff
from nodetide_core.errors import StoreError
from nodetide_core.policy.spec import Notify, Policy

__all__ = ["Receiver", "Times"]

_log = logging.getLogger(__name__)

#: Where the receiver fails, and where a person has to change something.
_BACKOFF = {Kind.LATER: Backoff(longest=60.0), Kind.DENIED: Backoff(longest=300.0)}
#: Seconds between two tries to load or save what was told.
_STORE_PAUSE = 5.0
#: Seconds after a refusal: one that refuses everything is not asked as fast as it can answer.
_REFUSAL_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Times:
    """The clocks and the chance that receivers go by."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random


class Receiver:
    """One thread calls `step`; others the rest."""

    def __init__(
        self, policy: Policy, notify: Notify, *, memory: AlertMemory, secrets: Secrets, poster: Poster, times: Times
    ) -> None:
        bucket = policy.storage.bucket
        self._policy = policy
        self._notify = notify
        self._secrets = secrets
        self._poster = poster
        self._times = times
        self._ended = threading.Event()
        # What is below changes under the lock only.
        self._lock = threading.Lock()
        self._acks = Acks(bucket, notify.name, memory)
        self._backlog = Backlog(bucket, notify, self._acks)
        self._condition = Condition(f"{notify.name} of policy {policy.namespace}/{policy.name}")
        self._failures = 0
        self._resume_at = -math.inf
        self._store_at = -math.inf
        self._sent = self._failed = self._refused = 0

    def update(self, policy: Policy, notify: Notify, alerts: Iterable[ActiveAlert] | None) -> bool:
        """Take these over; returns whether there is anything for `step` to do.

        Args:
            alerts: all that fire, and what ended lately; None if that is not known now.
        """
        now = int(self._times.wall())
        with self._lock:
            if notify != self._notify:
                self._failures, self._resume_at = 0, -math.inf
            if policy.hash != self._policy.hash or notify != self._notify:
                self._backlog.configure(notify)
            self._policy, self._notify = policy, notify
            if alerts is not None:
                self._backlog.take_over(alerts, now)
            if not self._backlog.known:
                return False
            if self._acks.loaded:
                self._acks.keep(now)
            return not self._acks.loaded or self._acks.unsaved or bool(self._backlog.queue(now))

    def step(self) -> float:
        """Do what is to be done next, at most one request; returns the seconds until there is more, infinite if
        only an update can bring it."""
        now = int(self._times.wall())
        at = self._times.monotonic()
        if not self._backlog.known or self._ended.is_set():
            return math.inf
        if (not self._acks.loaded or self._acks.unsaved) and at >= self._store_at:
            self._sync(now)
        store = self._store_at - at if not self._acks.loaded or self._acks.unsaved else math.inf
        if not self._acks.loaded:
            return max(0.0, store)
        with self._lock:
            batch = self._backlog.batch(now)
            if not batch:
                return max(0.0, min(store, self._backlog.next_due(now)))
            if self._resume_at > at:
                return max(0.0, min(store, self._resume_at - at))
            policy, notify = self._policy, self._notify
        try:
            verdict = attempt(batch, policy, notify, poster=self._poster, secrets=self._secrets, now=now)
        except Exception:  # noqa: BLE001 (whatever it is, the alerts stay, and the others are told)
            _log.exception("telling receiver %s failed, which is an error of Nodetide", notify.name)
            verdict = Verdict(Kind.DENIED, "an error of Nodetide; see the log")
        with self._lock:
            if self._ended.is_set():
                return math.inf
            self._book(batch, verdict)
        if self._acks.unsaved:
            self._sync(int(self._times.wall()))
        return 0.0

    def end(self) -> None:
        """Stop for good; what is under way is given up."""
        self._ended.set()
        self._poster.end()

    def health(self) -> Health:
        with self._lock:
            return Health(
                self._condition.error,
                self._sent,
                self._failed,
                self._refused,
                self._backlog.missed,
                len(self._backlog.queue(int(self._times.wall()))),
            )

    def _sync(self, now: int) -> None:
        """Load or save what was told."""
        try:
            if not self._acks.loaded:
                self._acks.load()
                with self._lock:
                    self._backlog.settle(now)
                    self._condition.works()
            else:
                with self._lock:
                    entries = self._acks.taken()
                self._acks.save(entries, now)
                with self._lock:
                    self._acks.saved(entries)
        except StoreError as error:
            if self._store_at == -math.inf:
                _log.warning("what receiver %s was told cannot be read or kept: %s", self._notify.name, error)
            self._store_at = self._times.monotonic() + _STORE_PAUSE
            with self._lock:
                if not self._acks.loaded:
                    self._condition.fails(f"what it was told cannot be read: {error}", 0)
        else:
            self._store_at = -math.inf

    def _book(self, batch: Sequence[Message], verdict: Verdict) -> None:
        now = int(self._times.wall())
        if verdict.kind is Kind.TAKEN:
            self._backlog.taken(batch, now)
            self._sent += len(batch)
            self._failures, self._resume_at = 0, -math.inf
            self._condition.works()
            return
        self._failed += 1
        if verdict.kind is Kind.REFUSED:
            message = self._backlog.refused(batch, now)
            if message is not None:
                self._refused += 1
                self._resume_at = self._times.monotonic() + _REFUSAL_PAUSE
                self._condition.refuses(message.alert.id, verdict.reason)
            return
        self._backlog.failed(batch)
        self._failures += 1
        wait = _BACKOFF[verdict.kind].delay(self._failures, self._times.chance(), verdict.retry_after)
        self._resume_at = self._times.monotonic() + wait
        self._condition.fails(verdict.reason, len(self._backlog.queue(now)))
