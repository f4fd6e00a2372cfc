"""Dispatchers that end with their test, alerts, and policies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.fakes.alert_memory import ToldMemory

from nodetide_core.alerts.notify.dispatcher import Dispatcher
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.policy.spec import Policy, SecretRef

MakeDispatcher = Callable[..., Dispatcher]


@pytest.fixture
def make_dispatcher() -> Iterator[MakeDispatcher]:
    made: list[Dispatcher] = []

    def make(memory: ToldMemory, secrets: dict[str, str] | None = None, **more: Any) -> Dispatcher:
        def secret(policy: Policy, ref: SecretRef) -> str:
            return (secrets or {})[ref.key]

        made.append(Dispatcher(memory, secret, **more))
        return made[-1]

    yield make
    for dispatcher in made:
        dispatcher.close(20)


@pytest.fixture
def alert() -> Callable[..., ActiveAlert]:
    def make(
        id_: str = "a", severity: str = "critical", start: int | None = None, end: int | None = None, **labels: str
    ) -> ActiveAlert:
        known = {"alertname": "HighCPU", "severity": severity, "policy": "p", "namespace": "default", "host": id_}
        begun = int(time.time()) - 60 if start is None else start
        return ActiveAlert(id_, severity, {**known, **labels}, {"summary": "CPU is busy"}, begun, end, 97.5)

    return make
