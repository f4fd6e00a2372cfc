"""An evaluator over a store in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.fakes.alert_store import AlertStore

from nodetide_core.alerts.evaluator import Evaluator
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.report import Report
from nodetide_core.policy import Policy, parse_policy

#: A multiple of a day.
EPOCH = 20_000 * 86_400


def _policy(*alerts: dict[str, Any], name: str = "p", **spec: Any) -> Policy:
    document = {
        "apiVersion": "nodetide.io/v1alpha1",
        "kind": "MetricPolicy",
        "metadata": {"name": name, "namespace": "ops"},
        "spec": {"alerts": list(alerts), **spec},
    }
    return parse_policy(document)


def _cpu(**more: Any) -> dict[str, Any]:
    alert = {
        "name": "HighCPU",
        "type": "threshold",
        "metric": "cpu.usage_active",
        "every": "30s",
        "window": "1m",
        "critical": {"above": 95},
    }
    return {**alert, **more}


class Bench:
    """Turns of an evaluator that can be started anew at any time."""

    epoch = EPOCH

    def __init__(self) -> None:
        self.store = AlertStore()
        self.evaluator = Evaluator(self.store, self.store)

    def restart(self) -> None:
        self.evaluator.close()
        self.evaluator = Evaluator(self.store, self.store)

    def turn(self, at: int, *policies: Policy, hosts: dict[str, set[str]] | None = None) -> Report:
        """At ``at`` seconds past the epoch."""
        return self.evaluator.turn(policies, EPOCH + at, hosts)

    def active(self, report: Report) -> list[ActiveAlert]:
        """Of every bucket."""
        return [alert for alerts in report.active.values() for alert in alerts]

    def phases(self, report: Report) -> list[tuple[str, str, str, int]]:
        """Severity, tags' values, new phase and time of each transition."""
        return [
            (
                change.key.severity,
                "/".join(value for _, value in change.key.tags),
                change.after.phase.value,
                change.at - EPOCH,
            )
            for change in report.transitions
        ]


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.evaluator.close()


@pytest.fixture
def policy() -> Callable[..., Policy]:
    return _policy


@pytest.fixture
def cpu() -> Callable[..., dict[str, Any]]:
    return _cpu
