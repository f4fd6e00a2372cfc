"""Dispatchers that end with their test, alerts, policies, and Alertmanagers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from servers import alertmanager
from tests.fakes.alert_memory import ToldMemory
from tests.fakes.receiving import receiving
from tests.integration.notify.staging import Stage, config

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


@pytest.fixture
def stage(
    needs_parts: Callable[..., None], tmp_path: Path, make_dispatcher: MakeDispatcher
) -> Iterator[Callable[..., Stage]]:
    """``stage(interval, options=[…], **more)``: with `config` of the rest, and further options of Alertmanager's."""
    needs_parts("alertmanager")
    with ExitStack() as stack:
        webhook = stack.enter_context(receiving("any"))

        def make(interval: str = "200ms", options: Sequence[str] = (), **more: str) -> Stage:
            running = alertmanager(tmp_path, config(webhook, interval, **more), options=options)
            return Stage(stack.enter_context(running), webhook, make_dispatcher)

        yield make
