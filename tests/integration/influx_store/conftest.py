"""Worlds for a store: every one is an organization of its own on one real influxd."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from servers import InfluxServer, influxd

from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.store import InfluxStore
from tests.contracts.store_contract import Clock

_numbers = itertools.count()


class InfluxWorld:
    """Lives tomorrow, for InfluxDB expires by its own clock: what is written late here is not late there."""

    def __init__(self, server: InfluxServer) -> None:
        self.epoch = (int(time.time()) // 86_400 + 1) * 86_400
        self.clock = Clock(self.epoch)
        self._server = server
        name = f"world {next(_numbers)}"
        self._org_id = server.call("POST", "/api/v2/orgs", {"name": name})["id"]
        permissions = [
            {"action": action, "resource": {"type": kind, "orgID": self._org_id}}
            for kind in ("buckets", "tasks")
            for action in ("read", "write")
        ]
        permissions.append({"action": "read", "resource": {"type": "orgs", "id": self._org_id}})
        made = server.call("POST", "/api/v2/authorizations", {"orgID": self._org_id, "permissions": permissions})
        self.config = StoreConfig(server.url, name, lambda: made["token"], connections=2)
        self._store: InfluxStore | None = None

    def open(self) -> InfluxStore:
        self.close()
        self._store = InfluxStore(self.config, clock=self.clock)
        return self._store

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def remove(self) -> None:
        """Let go of its shards, or influxd grows with each world."""
        self.close()
        listed: dict[str, Any] = self._server.call("GET", f"/api/v2/buckets?orgID={self._org_id}&limit=100")
        for bucket in listed["buckets"]:
            if bucket["type"] == "user":
                self._server.call("DELETE", f"/api/v2/buckets/{bucket['id']}")
        self._server.call("DELETE", f"/api/v2/orgs/{self._org_id}")


@pytest.fixture(scope="module")
def influx_server(tmp_path_factory: pytest.TempPathFactory, needs_parts: Callable[..., None]) -> Iterator[InfluxServer]:
    needs_parts("influxd")
    with influxd(tmp_path_factory.mktemp("influxd"), options=["--log-level=error"]) as running:
        yield running


@pytest.fixture(scope="module")
def worlds(influx_server: InfluxServer) -> Callable[[], AbstractContextManager[InfluxWorld]]:
    @contextmanager
    def make() -> Iterator[InfluxWorld]:
        world = InfluxWorld(influx_server)
        try:
            yield world
        finally:
            world.remove()

    return make
