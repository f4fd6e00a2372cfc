"""What the integration tests share: the real programs, and one pass of all probes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import nodetide_collector.probes  # noqa: F401 (registers them)
import realparts
from nodetide_collector.host import Host
from nodetide_collector.probe import Request, registered
from nodetide_core.points import SeriesKey, Value

#: Fields by series of one pass.
Pass = Mapping[SeriesKey, Mapping[str, Value]]


@pytest.fixture(scope="session")
def part() -> Callable[[str], Path]:
    """The named program's path; without it the test is skipped, or fails where everything must be there."""

    def find(name: str) -> Path:
        path = realparts.path(name)
        if path is None:
            message = f"{name} is missing: python hack/realparts/realparts.py {name}"
            if os.environ.get("CI") == "true":
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find


@pytest.fixture
def read_pass() -> Callable[..., Pass]:
    """Reads every probe once, on this host or another."""

    def read(host: Host | None = None) -> Pass:
        found: dict[SeriesKey, Mapping[str, Value]] = {}
        for registration in registered().values():
            for sample in registration.make(host or Host()).read(Request()).samples:
                found[SeriesKey(sample.measurement, sample.tags)] = sample.fields
        return found

    return read
