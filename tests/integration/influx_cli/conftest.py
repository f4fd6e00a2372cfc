"""A real influxd, organizations on it for one test each, and `nodetide` as a user starts it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from servers import InfluxServer, influxd
from servers.client import Client
from tests.integration.standalone.process import Nodetide

_numbers = itertools.count()

#: All that keeping tokens, buckets and tasks takes, as the docs have it.
KEEPING = ("read orgs", "read buckets", "write buckets", "read tasks", "write tasks", "read authorizations",
           "write authorizations", "read users", "write users")  # fmt: skip


@dataclass
class Org:
    """An organization, and a token that may do in it what the docs say that `nodetide upkeep` needs.

    Attributes:
        environment: what a command needs to find it.
    """

    server: InfluxServer
    name: str
    id: str
    token: str
    environment: dict[str, str]

    def call(self, method: str, path: str, body: object = None) -> Any:
        """As the administrator."""
        return self.server.call(method, path, body)

    def may(self, *permissions: str) -> str:
        """A token that may do this in the organization: ``read buckets``, or ``read buckets ID``."""
        made = self.call("POST", "/api/v2/authorizations", {"orgID": self.id, "permissions": self._all(permissions)})
        return str(made["token"])

    def _all(self, permissions: Sequence[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for action, kind, *id in map(str.split, permissions):
            resource = {"type": kind}
            if kind == "users":
                resource["id"] = self.call("GET", "/api/v2/me")["id"]
            elif kind == "orgs":
                resource["id"] = self.id
            else:
                resource |= {"orgID": self.id, **({"id": id[0]} if id else {})}
            found.append({"action": action, "resource": resource})
        return found

    def buckets(self) -> dict[str, dict[str, Any]]:
        found = self.call("GET", f"/api/v2/buckets?orgID={self.id}&limit=100")["buckets"]
        return {bucket["name"]: bucket for bucket in found if bucket["type"] == "user"}

    def retentions(self) -> dict[str, int]:
        rules = {name: bucket["retentionRules"] for name, bucket in self.buckets().items()}
        return {name: rule[0]["everySeconds"] if rule else 0 for name, rule in rules.items()}

    def tasks(self) -> dict[str, dict[str, Any]]:
        found = self.call("GET", f"/api/v2/tasks?orgID={self.id}&limit=500")["tasks"]
        assert len({task["name"] for task in found}) == len(found)
        return {task["name"]: task for task in found}

    def tokens(self) -> dict[str, dict[str, Any]]:
        """Those that Nodetide has made, by id."""
        found = self.call("GET", f"/api/v2/authorizations?orgID={self.id}")["authorizations"]
        return {token["id"]: token for token in found if token["description"].startswith("Nodetide makes")}

    def make_bucket(self, name: str, description: str = "", retention: int = 0) -> str:
        rules = [{"type": "expire", "everySeconds": retention}] if retention else []
        asked = {"orgID": self.id, "name": name, "description": description, "retentionRules": rules}
        return str(self.call("POST", "/api/v2/buckets", asked)["id"])

    def write(self, bucket: str, lines: str, token: str | None = None) -> None:
        query = urlencode({"org": self.name, "bucket": bucket, "precision": "s"})
        self.call_as(token, "POST", f"/api/v2/write?{query}", lines)

    def query(self, bucket: str, text: str, token: str = "") -> list[dict[str, Any]]:
        """Rows of an InfluxQL query; a refusal inside of the answer is an AssertionError."""
        what = urlencode({"org": self.name, "db": bucket, "epoch": "s", "q": text})
        (result,) = self.call_as(token or self.token, "GET", f"/query?{what}")["results"]
        assert "error" not in result, result["error"]
        return [
            {**series.get("tags", {}), **dict(zip(series["columns"], values, strict=True))}
            for series in result.get("series", [])
            for values in series["values"]
        ]

    def call_as(self, token: str | None, method: str, path: str, body: object = None) -> Any:
        if token is None:
            return self.call(method, path, body)
        return Client(self.server.url).call(method, path, body, headers={"Authorization": f"Token {token}"})

    def remove(self) -> None:
        # First of all the tasks: with one whose organization is gone, influxd does not start again.
        for task in self.tasks().values():
            self.call("DELETE", f"/api/v2/tasks/{task['id']}")
        for bucket in self.buckets().values():
            self.call("DELETE", f"/api/v2/buckets/{bucket['id']}")
        self.call("DELETE", f"/api/v2/orgs/{self.id}")


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory, needs_parts: Callable[..., None]) -> Iterator[InfluxServer]:
    needs_parts("influxd")
    with influxd(tmp_path_factory.mktemp("influxd"), options=["--log-level=error"]) as running:
        yield running


@pytest.fixture
def org(influx: InfluxServer, tmp_path: Path) -> Iterator[Org]:
    if not influx.running:
        influx.start()
    name = f"org {next(_numbers)}"
    made = Org(influx, name, influx.call("POST", "/api/v2/orgs", {"name": name})["id"], "", {})
    made.token = made.may(*KEEPING)
    (tmp_path / "admin-token").write_text(f"{made.token}\n")
    made.environment = {
        "INFLUXDB_URL": influx.url, "INFLUXDB_ORG": name, "INFLUXDB_TOKEN_FILE": str(tmp_path / "admin-token"),
    }  # fmt: skip
    yield made
    made.remove()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Nodetide]]:
    """Starts a command in the test's folder; all are ended with it. ``start(environment, *arguments)``."""
    started: list[Nodetide] = []

    def begin(environment: Mapping[str, str], *arguments: str) -> Nodetide:
        folder = tmp_path / f"process-{len(started)}"
        folder.mkdir()
        (folder / "log.txt").touch()
        started.append(Nodetide(arguments, folder, environment))
        return started[-1]

    yield begin
    for one in started:
        one.end(signal.SIGKILL)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A command that ends by itself: ``run(environment, *arguments)``."""

    def begin(environment: Mapping[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nodetide", *map(str, arguments)],
            cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    return begin


@pytest.fixture
def policy(tmp_path: Path) -> Callable[..., Path]:
    """Writes a policy's file: ``policy(name, tiers={"raw": "24h", "5m": "7d"}, …)``."""

    def write(name: str, *, bucket: str | None = None, tiers: Mapping[str, str] | None = None, lose: bool = False,
              file: str | None = None) -> Path:  # fmt: skip
        storage: dict[str, Any] = {"bucket": bucket or name}
        if tiers is not None:
            storage["tiers"] = [
                {"name": tier, "retention": retention, **({} if tier == "raw" else {"window": tier})}
                for tier, retention in tiers.items()
            ]
        annotations = {"nodetide.io/allow-data-loss": "true"} if lose else {}
        document = {
            "apiVersion": "nodetide.io/v1alpha1", "kind": "MetricPolicy",
            "metadata": {"name": name, "annotations": annotations}, "spec": {"storage": storage},
        }  # fmt: skip
        path = tmp_path / (file or f"{name}.yaml")
        path.parent.mkdir(exist_ok=True)
        draft = path.with_name(f".{path.name}")
        draft.write_text(json.dumps(document))
        draft.replace(path)  # at once, as editors and Kubernetes do it
        return path

    return write
