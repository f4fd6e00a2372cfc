"""An organization of a real influxd, and the keeping of checks in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

from servers import InfluxServer
from servers.client import CallFailed, Client

from nodetide_core.lineprotocol import Encoder
from nodetide_core.points import Point
from nodetide_core.policy import Policy, SecretRef
from nodetide_core.stores.influx.caller import Caller, connect
from nodetide_core.stores.influx.checks.changes import Change
from nodetide_core.stores.influx.checks.keeping import ChecksKeeper, Kept
from nodetide_core.stores.influx.config import StoreConfig

__all__ = ["KINDS", "NEEDED", "OWNER", "Org"]

KINDS = ("notificationRules", "notificationEndpoints", "checks")
#: What keeping checks takes, as docs/alert-engines.md has it, beside reading the organization and tasks.
NEEDED = ("read checks", "write checks", "read notificationRules", "write notificationRules",
          "read notificationEndpoints", "write notificationEndpoints", "write secrets")  # fmt: skip
OWNER = "test"


class Org:
    """
    Attributes:
        secrets: what references hold, by name.
    """

    def __init__(self, server: InfluxServer, name: str) -> None:
        self.server = server
        self.name = name
        self.id = str(server.call("POST", "/api/v2/orgs", {"name": name})["id"])
        self.token = server.token
        self.secrets: dict[str, str] = {}
        self._encoder = Encoder()
        self._callers: list[Caller] = []

    def call(self, method: str, path: str, body: object = None) -> Any:
        return self.server.call(method, path, body)

    def listed(self, kind: str) -> dict[str, dict[str, Any]]:
        """Objects of a kind by name."""
        found = self.call("GET", f"/api/v2/{kind}?orgID={self.id}&limit=100")[kind]
        assert len({item["name"] for item in found}) == len(found)
        return {item["name"]: item for item in found}

    def caller(self, token: str | None = None) -> Caller:
        used = token or self.token
        self._callers.append(connect(StoreConfig(self.server.url, self.name, lambda: used), 60))
        return self._callers[-1]

    def keeper(self, token: str | None = None) -> ChecksKeeper:
        """As after a restart: it remembers nothing."""
        return ChecksKeeper(self.caller(token), lambda: self.id)

    def secret(self, _: Policy, ref: SecretRef) -> str:
        return self.secrets[ref.name]

    def planned(self, policy: Policy) -> tuple[Change, ...]:
        keeper = self.keeper()
        return keeper.plan(policy, policy.stream, OWNER, keeper.observe(), self.secret).changes

    def keep(self, policy: Policy, token: str | None = None) -> Kept:
        keeper = self.keeper(token)
        observed = keeper.observe()
        return keeper.keep(keeper.plan(policy, policy.stream, OWNER, observed, self.secret), observed)

    def may(self, *permissions: str) -> str:
        """A token that may do this in the organization: ``read buckets``."""
        asked = []
        for action, kind in map(str.split, permissions):
            resource = {"type": kind, "id": self.id} if kind == "orgs" else {"type": kind, "orgID": self.id}
            asked.append({"action": action, "resource": resource})
        made = self.call("POST", "/api/v2/authorizations", {"orgID": self.id, "permissions": asked})
        return str(made["token"])

    def make_bucket(self, name: str) -> None:
        self.call("POST", "/api/v2/buckets", {"orgID": self.id, "name": name, "retentionRules": []})

    def write(self, bucket: str, points: Iterable[Point]) -> None:
        query = urlencode({"org": self.name, "bucket": bucket, "precision": "s"})
        self.call("POST", f"/api/v2/write?{query}", self._encoder.encode(points))

    def flux(self, text: str) -> list[dict[str, str]]:
        client = Client(self.server.url)
        headers = {"Authorization": f"Token {self.token}", "Accept": "application/csv"}
        found = client.call("POST", f"/api/v2/query?orgID={self.id}", {"query": text, "type": "flux"}, headers=headers)
        rows: list[dict[str, str]] = []
        for table in found.replace("\r\n", "\n").split("\n\n"):
            rows += csv.DictReader(io.StringIO(table))
        return rows

    def statuses(self, start: int = 0) -> list[dict[str, str]]:
        """Rows of ``_monitoring``, oldest first, one for each status; ``_time`` in Unix seconds."""
        rows = self.flux(
            f'from(bucket: "_monitoring") |> range(start: {start or "-1h"})'
            ' |> filter(fn: (r) => r._measurement == "statuses" and r._field == "_reading")'
        )
        for row in rows:
            row["_time"] = str(_seconds(row["_time"]))
        return sorted(rows, key=lambda row: int(row["_time"]))

    def evaluate(self, names: Sequence[str], times: Sequence[int], until: Callable[..., Any]) -> None:
        """Have InfluxDB evaluate checks as if it were these times, one after the other."""
        checks = self.listed("checks")
        for at in times:
            when = datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            runs = []
            for name in names:
                task = f"/api/v2/tasks/{checks[name]['taskID']}/runs"
                runs.append(f"{task}/{self.call('POST', task, {'scheduledFor': when})['id']}")
            for run in runs:
                found = until(lambda run=run: self._ended(run), 180)
                assert found["status"] == "success", found

    def _ended(self, run: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.call("GET", run)
        except CallFailed as error:
            # For a moment, between where runs are that go on and where those are that have ended; influxd panics, even.
            assert error.status in (404, 500)
            return None
        return found if found.get("finishedAt") else None

    def remove(self) -> None:
        for caller in self._callers:
            caller.end()
        # First of all what runs: with a task whose organization is gone, influxd does not start again.
        for kind in KINDS:
            for item in self.call("GET", f"/api/v2/{kind}?orgID={self.id}&limit=100")[kind]:
                self.call("DELETE", f"/api/v2/{kind}/{item['id']}")
        listed: Mapping[str, Any] = self.call("GET", f"/api/v2/buckets?orgID={self.id}&limit=100")
        for bucket in listed["buckets"]:
            if bucket["type"] == "user":
                self.call("DELETE", f"/api/v2/buckets/{bucket['id']}")
        self.call("DELETE", f"/api/v2/orgs/{self.id}")


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(f"{text[:19]}+00:00").timestamp())
