"""Policies with receivers, alerts, and receivers without threads and sockets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.fakes.notify_rig import RECEIVERS, Rig, Wire, policy_with

from nodetide_core.alerts.notify.model import ActiveAlert


@pytest.fixture
def make_rig() -> Callable[..., Rig]:
    def make(kind: str, **more: Any) -> Rig:
        return Rig(policy_with({"name": "r", "type": kind, **RECEIVERS[kind], **more}), Wire(kind))

    return make


@pytest.fixture
def alert() -> Callable[..., ActiveAlert]:
    def make(
        id_: str = "a", severity: str = "critical", start: int = 1_699_999_000, end: int | None = None, **more: Any
    ) -> ActiveAlert:
        labels = {"alertname": "HighCPU", "severity": severity, "policy": "p", "namespace": "default", "host": id_}
        labels |= more.pop("labels", {})
        texts = {"summary": "CPU is busy", **more.pop("annotations", {})}
        return ActiveAlert(id_, severity, labels, texts, start, end, more.pop("value", 97.5), **more)

    return make


@pytest.fixture
def heard() -> Callable[[Rig], list[str]]:
    """What a receiver of type http took, in short."""

    def short(rig: Rig) -> list[str]:
        return [
            f"{document['id']} {document['severity'] if document['status'] == 'firing' else 'end'}"
            for document in map(json.loads, (request.body for request in rig.wire.requests))
        ]

    return short
