"""The alerts of all policies: evaluated, told to receivers, and what is to be told of them in statuses."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nodetide_core.alerts.evaluator import Evaluator
from nodetide_core.alerts.notify.dispatcher import Dispatcher
from nodetide_core.alerts.notify.health import Health
from nodetide_core.alerts.report import AlertHealth, Report
from nodetide_core.alerts.rules import AlertName
from nodetide_core.policy import Policy
from nodetide_operator.alert_flux import FluxGate
from nodetide_operator.alert_news import AlertsNews, news_of
from nodetide_operator.alert_store import AlertStore, Outages
from nodetide_operator.knowledge import Shared
from nodetide_operator.node_counts import Matches
from nodetide_operator.receiver_secrets import ReceiverSecrets
from nodetide_operator.world import Key

__all__ = ["Alerting", "Charge"]

_log = logging.getLogger(__name__)

#: Seconds after which what no evaluation waits for is looked at: ends of silences, Secrets.
_LONGEST = 15.0


@dataclass(frozen=True, slots=True)
class Charge:
    """What reconciling has found to be so.

    Attributes:
        policies: those in effect.
        wrong: those that are wrong now, and go on as they were before.
        nodes: labels by name.
    """

    policies: Mapping[Key, Policy] = field(default_factory=dict)
    wrong: frozenset[Key] = frozenset()
    nodes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Alerting:
    """Belongs to one thread, but for `end`.

    Args:
        clock: Unix seconds.

    Attributes:
        outage: why the store could not be asked the last time; empty where it could.
        pending, firing: how many alerts are, of all policies.
        receivers: how each does, by raw bucket and name.
    """

    def __init__(
        self,
        store: AlertStore,
        secrets: ReceiverSecrets,
        charge: Shared[Charge],
        news: Shared[Mapping[Key, AlertsNews]],
        *,
        cluster: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._outages = Outages(store)
        self._gate = FluxGate(store.check_flux)
        self._evaluator = Evaluator(self._outages, self._outages, cluster=cluster)
        self._dispatcher = Dispatcher(store, secrets)
        self._secrets = secrets
        self._charge = charge
        self._news = news
        self._clock = clock
        self._held: dict[Key, Policy] = {}
        self._ended = False
        self.outage = ""
        self.pending = self.firing = 0
        self.receivers: Mapping[tuple[str, str], Health] = {}

    def turn(self) -> float:
        """What is due; the seconds until something is again."""
        charge, now = self._charge.get(), self._clock()
        mine = self._mine(charge)
        policies = self._gate.pass_on(list(mine.values()))
        matches = Matches(charge.nodes)
        hosts = {policy.storage.bucket: frozenset(matches.of(policy.node_selector)) for policy in policies}
        self._outages.buckets = hosts.keys()
        # Of one with neither nothing is evaluated, and nothing needs to be remembered.
        report = self._evaluator.turn([policy for policy in policies if policy.alerts or policy.notify], now, hosts)
        if self._ended:
            return _LONGEST
        self._dispatcher.update(policies, report.active)
        self.receivers = self._dispatcher.health()
        self._publish(mine, report)
        return min(_LONGEST, max(0.0, self._evaluator.next_due(self._clock()) - self._clock()))

    def end(self, timeout: float) -> None:
        """Begin nothing any more; what the turn under way still finds is no news.

        Args:
            timeout: seconds that receivers may take to end.
        """
        self._ended = True
        if not self._dispatcher.close(timeout):
            _log.warning("a receiver did not end within %.0f s", timeout)

    def close(self) -> None:
        """After the last turn."""
        self._evaluator.close()

    def _mine(self, charge: Charge) -> dict[Key, Policy]:
        """The policies that are evaluated here; as they were last, where they are wrong now."""
        self._held = {key: held for key, held in self._held.items() if key in charge.wrong} | dict(charge.policies)
        return {key: policy for key, policy in self._held.items() if policy.alert_engine == "nodetide"}

    def _publish(self, policies: Mapping[Key, Policy], report: Report) -> None:
        errors = {health.error for health in report.health.values() if health.error}
        outages = self._outages.among(errors)
        self.outage = min(outages, default="")
        self.pending = sum(health.pending for health in report.health.values())
        self.firing = sum(health.firing for health in report.health.values())
        severities: dict[tuple[str, str], set[str]] = {}
        for bucket, alerts in report.active.items():
            for alert in alerts:
                if alert.ends_at is None:
                    severities.setdefault((bucket, alert.labels.get("alertname", "")), set()).add(alert.severity)
        news = {}
        for key, policy in policies.items():
            if policy.alerts:
                names = [AlertName(policy.storage.bucket, alert.name) for alert in policy.alerts]
                health = {name: report.health.get(name, AlertHealth()) for name in names}
                news[key] = AlertsNews(
                    tuple(
                        news_of(name.alert, found, severities.get(name, ()), self._problem(name, found.error, outages))
                        for name, found in health.items()
                    ),
                    min((found.error for found in health.values() if found.error in outages), default=""),
                    self._failing(policy),
                    policy.suspend,
                )
        self._news.put(news)

    def _problem(self, name: AlertName, error: str, outages: set[str]) -> str:
        return self._gate.problems.get(name) or ("" if error in outages else error)

    def _failing(self, policy: Policy) -> dict[str, str]:
        found = {}
        for receiver in policy.notify:
            health = self.receivers.get((policy.storage.bucket, receiver.name))
            problem = health.error if health is not None else ""
            if not problem and receiver.secret_ref is not None:
                problem = self._secrets.problem(policy, receiver.secret_ref)
            if problem:
                found[receiver.name] = problem
        return found
