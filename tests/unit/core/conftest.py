"""Strategies and small builders the tests of core share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says something of the machine, and nothing of the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture
def document() -> Callable[..., dict[str, Any]]:
    """A MetricPolicy document with the spec given."""

    def make(spec: Any = None, name: str = "p", **more: Any) -> dict[str, Any]:
        return {
            "apiVersion": "nodetide.io/v1alpha1",
            "kind": "MetricPolicy",
            "metadata": {"name": name},
            "spec": {} if spec is None else spec,
            **more,
        }

    return make
