"""Worlds for a store: every one is an organization of its own on one real influxd."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from servers import InfluxServer, influxd
from tests.contracts.store_contract import Clock

from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.query_tokens import GivenToken
from nodetide_core.stores.influx.store import InfluxStore

_numbers = itertools.count()


class InfluxWorld:
    """Lives after tomorrow, for InfluxDB expires by its own clock: what is written late here is not late there. Were it
    tomorrow, it could begin while a test runs."""

    def __init__(self, server: InfluxServer) -> None:
        self.epoch = (int(time.time()) // 86_400 + 2) * 86_400
        self.clock = Clock(self.epoch)
        self._server = server
        name = f"world {next(_numbers)}"
        self.org_id = server.call("POST", "/api/v2/orgs", {"name": name})["id"]
        token = self.token_for("read write", "buckets tasks", see_org=True)
        self.config = StoreConfig(server.url, name, lambda: token, connections=2)
        self._store: InfluxStore | None = None

    def token_for(self, actions: str, kinds: str, *, see_org: bool = False) -> str:
        permissions = [
            {"action": action, "resource": {"type": kind, "orgID": self.org_id}}
            for kind in kinds.split()
            for action in actions.split()
        ]
        if see_org:
            permissions.append({"action": "read", "resource": {"type": "orgs", "id": self.org_id}})
        asked = {"orgID": self.org_id, "permissions": permissions}
        token: str = self._server.call("POST", "/api/v2/authorizations", asked)["token"]
        return token

    def open(self) -> InfluxStore:
        self.close()
        tokens = GivenToken(self.config.token)
        self._store = InfluxStore(self.config, clock=self.clock, flux_tokens=tokens)
        return self._store

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def remove(self) -> None:
        """Let go of its shards, or influxd grows with each world."""
        self.close()
        # First of all the tasks: with one whose organization is gone, influxd does not start again.
        for task in self._server.call("GET", f"/api/v2/tasks?orgID={self.org_id}&limit=500")["tasks"]:
            self._server.call("DELETE", f"/api/v2/tasks/{task['id']}")
        listed: dict[str, Any] = self._server.call("GET", f"/api/v2/buckets?orgID={self.org_id}&limit=100")
        for bucket in listed["buckets"]:
            if bucket["type"] == "user":
                self._server.call("DELETE", f"/api/v2/buckets/{bucket['id']}")
        self._server.call("DELETE", f"/api/v2/orgs/{self.org_id}")


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
