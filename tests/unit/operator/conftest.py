"""What tests of the operator share. A loaded machine is no reason to fail: nothing here is bounded in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.operator.fake_apiserver import FakeApiserver

from nodetide_core.stores.influx.config import StoreConfig
from nodetide_operator.config import OperatorConfig
from nodetide_operator.world import PolicyObject, policy_object


@pytest.fixture(scope="session")
def config() -> OperatorConfig:
    return OperatorConfig(StoreConfig("http://127.0.0.1:1", "org", lambda: "token"), "nodetide")


class Bodies:
    """Objects as the apiserver gives them."""

    @staticmethod
    def policy(name: str = "a", spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
        found = {"namespace": "nodetide", "name": name, "uid": f"uid-{name}", "generation": 1, "resourceVersion": "1"}
        found["creationTimestamp"] = "2026-01-01T00:00:00Z"
        return {"metadata": {**found, **metadata}, "spec": spec or {}}

    @staticmethod
    def node(name: str, labels: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
        return {"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "1", "labels": labels, **metadata}}

    def object(self, name: str = "a", spec: dict[str, Any] | None = None, **metadata: Any) -> PolicyObject:
        return policy_object(self.policy(name, spec, **metadata))


@pytest.fixture(scope="session")
def bodies() -> Bodies:
    return Bodies()


@pytest.fixture
def apiserver() -> Iterator[FakeApiserver]:
    with FakeApiserver() as running:
        yield running
