"""Alerts where there is no operator: evaluated and told in this process, as policies of files say."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from nodetide_core.alerts.evaluator import Evaluator
from nodetide_core.alerts.notify.attempt import Secrets
from nodetide_core.alerts.notify.dispatcher import Dispatcher
from nodetide_core.alerts.ports import AlertMemory, AlertSource
from nodetide_core.alerts.report import AlertHealth
from nodetide_core.alerts.rules import AlertName
from nodetide_core.policy import Policy

__all__ = ["AlertStore", "Alerting"]

_log = logging.getLogger(__name__)

#: Seconds between two turns: how late a change of policies, a silence's begin and its end may be seen.
_EVERY = 1.0
#: Seconds that one turn may take before health tells of it.
_LATE = 60.0
#: Broken alerts that are named in the log at once.
_NAMED = 10


class AlertStore(AlertSource, AlertMemory, Protocol):
    """What both stores are."""


class Alerting:
    """Evaluates the alerts of policies and has their receivers told, in a thread of its own.

    Args:
        secrets: what the receivers' ``secretRef`` hold.
        cluster: label of every alert; empty: none.
        clock: Unix seconds.
    """

    def __init__(
        self,
        store: AlertStore,
        secrets: Secrets,
        *,
        cluster: str = "",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._evaluator = Evaluator(store, store, cluster=cluster)
        self._dispatcher = Dispatcher(store, secrets)
        self._clock = clock
        self._monotonic = monotonic
        self._policies: tuple[Policy, ...] | None = None
        self._broken: Mapping[AlertName, str] = {}
        self._count = 0
        self._failure = ""
        self._began: float | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nodetide-alerts", daemon=True)

    def follow(self, policies: Sequence[Policy]) -> None:
        """Evaluate the alerts of these from now on; whatever is not among them ends. From any thread."""
        self._policies = tuple(policies)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        """End after the evaluation that runs; what receivers have not taken yet is sent after the next start.

        Returns:
            Whether all has ended within ``timeout`` seconds.
        """
        self._stopping.set()
        deadline = time.monotonic() + timeout
        if self._thread.ident is None:
            self._evaluator.close()
        else:
            self._thread.join(timeout)
        closed = self._dispatcher.close(max(0.0, deadline - time.monotonic()))
        return closed and not self._thread.is_alive()

    @property
    def evaluates(self) -> bool:
        """Whether every alert there is, of policies that are not suspended, is evaluated here."""
        policies = self._policies
        return (
            policies is not None
            and self._thread.is_alive()
            and all(policy.alert_engine == "nodetide" for policy in policies if policy.alerts and not policy.suspend)
        )

    def health(self) -> str:
        """``ok``, or what is wrong."""
        began, broken = self._began, self._broken
        if began is not None and (late := self._monotonic() - began) > _LATE:
            return f"an evaluation runs since {late:.0f} s"
        if self._failure:
            return self._failure
        if broken:
            return f"{len(broken)} of {self._count} alerts cannot be evaluated: {next(iter(broken.values()))}"
        failing = [(name, health.error) for (_, name), health in self._dispatcher.health().items() if health.error]
        return "; ".join(f"receiver {name} cannot be told: {error}" for name, error in failing) or "ok"

    def turn(self) -> float:
        """Evaluate what is due and hand it to the receivers.

        Returns:
            Seconds until there is something to do again.
        """
        policies = self._policies
        if policies is None:
            return _EVERY
        self._began = self._monotonic()
        try:
            return self._turn(policies, self._clock())
        except Exception as error:  # noqa: BLE001 - whatever nobody foresaw, the next turn may work
            self._fails(f"{type(error).__name__}: {error}")
            return _EVERY
        finally:
            self._began = None

    def _turn(self, policies: Sequence[Policy], now: float) -> float:
        report = self._evaluator.turn(policies, now)
        self._dispatcher.update(policies, report.active)
        if self._failure:
            _log.info("alerts: works again")
            self._failure = ""
        self._tell(report.health)
        return min(_EVERY, max(0.0, self._evaluator.next_due(now) - now))

    def _fails(self, failure: str) -> None:
        # What fails because everything is being closed is no news.
        if failure != self._failure and not self._stopping.is_set():
            _log.exception("alerts: %s", failure)
        self._failure = failure

    def _tell(self, health: Mapping[AlertName, AlertHealth]) -> None:
        """Log which alerts began to be broken, and when all are well again."""
        broken = {name: found.error for name, found in health.items() if found.error}
        new = [error for name, error in broken.items() if self._broken.get(name) != error]
        if not self._stopping.is_set():
            for error in new[:_NAMED]:
                _log.error("%s", error)
            if len(new) > _NAMED:
                _log.error("and %d alerts more", len(new) - _NAMED)
            if self._broken and not broken:
                _log.info("all alerts are evaluated again")
        self._broken, self._count = broken, len(health)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._stopping.wait(self.turn())
        finally:
            self._evaluator.close()
