"""All receivers of all policies."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from nodetide_core.alerts.notify.attempt import Secrets
from nodetide_core.alerts.notify.health import Health
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.notify.parting import Parting
from nodetide_core.alerts.notify.posting import HttpPoster, Poster
from nodetide_core.alerts.notify.receiver import Receiver, Times
from nodetide_core.alerts.notify.worker import Worker
from nodetide_core.alerts.ports import AlertMemory
from nodetide_core.policy.spec import Policy

__all__ = ["Dispatcher"]


class _Entry(NamedTuple):
    receiver: Receiver
    worker: Worker


class Dispatcher:
    """Tells the receivers of policies what fires and what has ended, each in a thread of its own.

    What a receiver has taken is kept through ``memory`` right after it said so, before it is sent anything
    else, and read at the start. So every message is sent **at least once**, and one can only be repeated where the
    process is killed between a receiver's answer and its keeping: one message for each receiver (one request to
    Alertmanager), as long as the store takes what it is given. Where it does not, receivers are told all the same,
    and what they were told since may be repeated after a restart. Alertmanager, PagerDuty (``dedup_key``) and
    receivers of type http that look at ``Idempotency-Key`` take a repetition for what it is; in Slack it shows.

    Safe to share between threads.

    Args:
        memory: safe to share between threads; the receivers' call it as they go.
        secrets: what a ``secretRef`` of a policy holds, read for every attempt, in the receivers' threads; raises
            OSError or LookupError with what is missing.
        poster: makes what one receiver sends by.
    """

    def __init__(
        self,
        memory: AlertMemory,
        secrets: Secrets,
        *,
        times: Times | None = None,
        poster: Callable[[], Poster] = HttpPoster,
    ) -> None:
        self._memory = memory
        self._secrets = secrets
        self._times = times or Times()
        self._poster = poster
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._ending: list[_Entry] = []
        self._parting = Parting()
        self._closed = False

    def update(self, policies: Iterable[Policy], active: Mapping[str, Sequence[ActiveAlert]]) -> None:
        """Take over what is to be told; does not wait for anything.

        Args:
            policies: all there are, one for each raw bucket; suspended ones, too, whose alerts have ended. The
                receivers of one that is no longer among them, or has InfluxDB evaluate its alerts now, are told that
                they have ended for a quarter of an hour. A receiver that a policy has no longer is not told anything
                any more, not even of ends. What receivers were told stays in the store, and holds if they come back.
            active: by raw bucket, **all** alerts that fire, and those that ended lately. One that was there and is not
                any more has ended, so a bucket of which the alerts are not known now must be left out.
        """
        ours = [policy for policy in policies if policy.alert_engine == "nodetide"]
        with self._lock:
            if self._closed:
                return
            wanted = {
                (policy.storage.bucket, notify.name): (policy, notify)
                for policy in self._parting.with_gone(ours, self._times.monotonic())
                for notify in policy.notify
            }
            for key in [key for key in self._entries if key not in wanted]:
                entry = self._entries.pop(key)
                entry.worker.end()
                self._ending.append(entry)
            self._ending = [entry for entry in self._ending if not entry.worker.join(0)]
            for key, (policy, notify) in wanted.items():
                if key not in self._entries:
                    receiver = Receiver(
                        policy,
                        notify,
                        memory=self._memory,
                        secrets=self._secrets,
                        poster=self._poster(),
                        times=self._times,
                    )
                    self._entries[key] = _Entry(receiver, Worker(f"notify-{notify.name}", receiver.step))
                entry = self._entries[key]
                if entry.receiver.update(policy, notify, active.get(key[0])):
                    entry.worker.wake()

    def health(self) -> dict[tuple[str, str], Health]:
        """By raw bucket and name of the receiver."""
        with self._lock:
            entries = dict(self._entries)
        return {key: entry.receiver.health() for key, entry in entries.items()}

    def close(self, timeout: float) -> bool:
        """Stop. What is under way may end for half of the time, then it is given up, and sent again after a restart.

        Args:
            timeout: seconds to wait for threads.

        Returns:
            Whether all have ended. One that has not may hang in a name's resolution or in the store; it ends with the
            process.
        """
        with self._lock:
            self._closed = True
            entries = [*self._entries.values(), *self._ending]
            self._entries.clear()
        for entry in entries:
            entry.worker.end()
        deadline = time.monotonic() + timeout
        slow = [entry for entry in entries if not entry.worker.join(deadline - timeout / 2 - time.monotonic())]
        for entry in slow:
            entry.receiver.end()
        ended = [entry.worker.join(deadline - time.monotonic()) for entry in slow]
        return all(ended)
