"""A real influxd with an organization for each test, what keeps checks in it, and a receiver of notifications."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from servers import InfluxServer, influxd
from tests.integration.influx_checks.org import Org
from tests.integration.influx_checks.receiving import Received, handler
from tests.waiting import eventually

from nodetide_core.policy import Policy, parse_policy

_numbers = itertools.count()


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory, needs_parts: Callable[..., None]) -> Iterator[InfluxServer]:
    needs_parts("influxd")
    with influxd(tmp_path_factory.mktemp("influxd"), options=["--log-level=error"]) as running:
        yield running


@pytest.fixture
def org(influx: InfluxServer) -> Iterator[Org]:
    made = Org(influx, f"org {next(_numbers)}")
    yield made
    made.remove()


@pytest.fixture
def received() -> Iterator[Received]:
    """What arrives at a receiver on loopback."""
    found = Received()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(found))
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield found
    server.shutdown()
    thread.join(60)
    server.server_close()


@pytest.fixture(scope="session")
def policy() -> Callable[..., Policy]:
    """``policy("b", alerts=[…], notify=[…])``: of the engine influxdb, if nothing else is said."""

    def make(name: str, **spec: Any) -> Policy:
        document = {
            "apiVersion": "nodetide.io/v1alpha1", "kind": "MetricPolicy", "metadata": {"name": name},
            "spec": {"alertEngine": "influxdb", **spec},
        }  # fmt: skip
        return parse_policy(document)

    return make


@pytest.fixture(scope="session")
def until() -> Callable[..., Any]:
    """``until(condition, seconds, told)``: what the condition gives when it is true; fails when it never is."""

    def wait(condition: Callable[[], Any], seconds: float = 180, told: Callable[[], Any] = lambda: "") -> Any:
        return eventually(condition, told, patience=seconds, every=0.1)

    return wait
