"""The operator's own Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from nodetide_core.alerts.notify.health import Health
from nodetide_operator.outcomes import Downsampling
from nodetide_operator.world import Key

__all__ = ["Metrics"]

_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """Safe to share between threads."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._turns = Counter(
            "nodetide_operator_turns", "Turns of the loops.", ["loop", "result"], registry=self._registry
        )
        self._seconds = Histogram(
            "nodetide_operator_turn_seconds", "How long a turn takes.", ["loop"], buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self._idle = Gauge(
            "nodetide_operator_loop_idle_seconds", "Time since a loop last came round.", ["loop"],
            registry=self._registry,
        )  # fmt: skip
        self._policies = Gauge("nodetide_operator_policies", "Policies.", ["ready"], registry=self._registry)
        self._nodes = Gauge("nodetide_operator_nodes", "Nodes known.", registry=self._registry)
        self._missed = Counter(
            "nodetide_operator_watch_missed", "Lists at which a watch still owed what a list before had shown.",
            registry=self._registry,
        )  # fmt: skip
        self._watching = Gauge(
            "nodetide_operator_watching", "Whether policies and nodes are watched, and not only listed.",
            registry=self._registry,
        )  # fmt: skip
        self._windows = Counter(
            "nodetide_operator_rollup_windows", "Windows that the operator has rolled up.", registry=self._registry
        )
        self._behind = _Behind()
        self._registry.register(self._behind)
        self._alerts = Gauge(
            "nodetide_operator_alerts", "Alerts, of each series and severity one.", ["state"], registry=self._registry
        )
        self._notifications = Counter(
            "nodetide_operator_notifications",
            "Messages to receivers that were taken (sent), refused or missed (over before they could be told), and "
            "requests that failed.",
            ["bucket", "receiver", "result"],
            registry=self._registry,
        )
        self._receiver_failing = Gauge(
            "nodetide_operator_receiver_failing", "Whether a receiver takes no messages.", ["bucket", "receiver"],
            registry=self._registry,
        )  # fmt: skip
        self._notified: dict[tuple[str, str, str], int] = {}

    def turned(self, loop: str, result: str, seconds: float) -> None:
        self._turns.labels(loop, result).inc()
        self._seconds.labels(loop).observe(seconds)

    def idle(self, loop: str, seconds: float) -> None:
        self._idle.labels(loop).set(seconds)

    def watching(self, running: bool) -> None:
        self._watching.set(running)

    def world(self, ready: Mapping[Key, bool], nodes: int, *, missed: bool) -> None:
        count = sum(ready.values())
        self._policies.labels("true").set(count)
        self._policies.labels("false").set(len(ready) - count)
        self._nodes.set(nodes)
        if missed:
            self._missed.inc()

    def rolled(self, windows: int, downsampling: Mapping[str, Downsampling]) -> None:
        self._windows.inc(windows)
        self._behind.known = downsampling

    def alerts(self, pending: int, firing: int, receivers: Mapping[tuple[str, str], Health]) -> None:
        """
        Args:
            receivers: by raw bucket and name.
        """
        self._alerts.labels("pending").set(pending)
        self._alerts.labels("firing").set(firing)
        self._receiver_failing.clear()
        notified: dict[tuple[str, str, str], int] = {}
        for (bucket, name), health in receivers.items():
            self._receiver_failing.labels(bucket, name).set(not health.ok)
            counts = {"sent": health.sent, "failed": health.failed, "refused": health.refused, "missed": health.missed}
            for result, count in counts.items():
                before = self._notified.get((bucket, name, result), 0)
                # A receiver that went and came again counts anew.
                self._notifications.labels(bucket, name, result).inc(count - before if count >= before else count)
                notified[bucket, name, result] = count
        self._notified = notified

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)


class _Behind(Collector):
    """How far rollups are behind, made when it is asked for: of a thousand policies, gauges would be some thousand
    objects that nobody reads between two scrapes.

    Attributes:
        known: by raw bucket.
    """

    def __init__(self) -> None:
        self.known: Mapping[str, Downsampling] = {}

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "nodetide_operator_rollup_behind_windows", "Windows that are due and not rolled up.",
            labels=["bucket", "tier"],
        )  # fmt: skip
        for bucket, found in self.known.items():
            for tier, behind in found.behind.items():
                family.add_metric([bucket, tier], behind)
        yield family
