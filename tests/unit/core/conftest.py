"""Strategies and small builders the tests of core share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


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
