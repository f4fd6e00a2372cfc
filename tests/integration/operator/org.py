"""An organization of a real InfluxDB, as its administrator sees it, and what the operator may do in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from servers import InfluxServer
from servers.client import Client

__all__ = ["OPERATOR", "Org"]

#: What the operator's token is allowed, as the docs have it; each in its organization alone.
OPERATOR = ("read buckets", "write buckets", "read tasks", "write tasks", "read authorizations",
            "write authorizations", "read users", "write users", "read orgs")  # fmt: skip
#: What InfluxDB makes for itself.
_SYSTEM = "system"


class Org:
    """
    Attributes:
        token: with the permissions `OPERATOR`.
    """

    def __init__(self, server: InfluxServer, name: str) -> None:
        self.server = server
        self.name = name
        self.make()

    def make(self) -> None:
        """Set it up; again, after the server was wiped."""
        self.id = str(self.call("POST", "/api/v2/orgs", {"name": self.name})["id"])
        self.token = self.may(*OPERATOR)

    def call(self, method: str, path: str, body: object = None) -> Any:
        return self.server.call(method, path, body)

    def may(self, *permissions: str) -> str:
        """A token with these permissions in the organization."""
        asked = {"orgID": self.id, "description": "the test's", "permissions": self._all(permissions)}
        return str(self.call("POST", "/api/v2/authorizations", asked)["token"])

    def _all(self, permissions: Sequence[str]) -> list[dict[str, Any]]:
        me = self.call("GET", "/api/v2/me")["id"]
        found = []
        for action, kind in map(str.split, permissions):
            scope = {"users": {"id": me}, "orgs": {"id": self.id}}.get(kind, {"orgID": self.id})
            found.append({"action": action, "resource": {"type": kind, **scope}})
        return found

    def buckets(self) -> dict[str, dict[str, Any]]:
        found = _described(self.call("GET", f"/api/v2/buckets?orgID={self.id}&limit=100")["buckets"])
        return {bucket["name"]: bucket for bucket in found if bucket["type"] != _SYSTEM}

    def tasks(self) -> list[dict[str, Any]]:
        """All of them; names need not be unique."""
        return _described(self.call("GET", f"/api/v2/tasks?orgID={self.id}&limit=500")["tasks"])

    def tokens(self) -> list[dict[str, Any]]:
        """All but the test's own."""
        found = _described(self.call("GET", f"/api/v2/authorizations?orgID={self.id}")["authorizations"])
        return [token for token in found if token["description"] != "the test's"]

    def make_bucket(self, name: str, description: str = "", retention: int = 0) -> str:
        rules = [{"type": "expire", "everySeconds": retention}] if retention else []
        asked = {"orgID": self.id, "name": name, "description": description, "retentionRules": rules}
        return str(self.call("POST", "/api/v2/buckets", asked)["id"])

    def write(self, bucket: str, lines: str, token: str = "") -> None:
        where = urlencode({"org": self.name, "bucket": bucket, "precision": "s"})
        self._as(token, "POST", f"/api/v2/write?{where}", lines)

    def query(self, bucket: str, text: str, token: str = "") -> list[dict[str, Any]]:
        """Rows of an InfluxQL query; a refusal inside of the answer is an AssertionError."""
        what = urlencode({"org": self.name, "db": bucket, "epoch": "s", "q": text})
        (result,) = self._as(token, "GET", f"/query?{what}")["results"]
        assert "error" not in result, result["error"]
        return [
            {**series.get("tags", {}), **dict(zip(series["columns"], values, strict=True))}
            for series in result.get("series", [])
            for values in series["values"]
        ]

    def _as(self, token: str, method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Token {token or self.token}"}
        return Client(self.server.url).call(method, path, body, headers=headers)

    def clear(self) -> None:
        """Nothing in it but itself and the test's tokens."""
        # Rules and checks have tasks, too, which are not among the others.
        for kind in ("notificationRules", "notificationEndpoints", "checks"):
            for item in self.call("GET", f"/api/v2/{kind}?orgID={self.id}&limit=100")[kind]:
                self.call("DELETE", f"/api/v2/{kind}/{item['id']}")
        for task in self.tasks():
            self.call("DELETE", f"/api/v2/tasks/{task['id']}")
        for bucket in self.buckets().values():
            self.call("DELETE", f"/api/v2/buckets/{bucket['id']}")
        for token in self.tokens():
            self.call("DELETE", f"/api/v2/authorizations/{token['id']}")

    def remove(self) -> None:
        # First of all the tasks: with one whose organization is gone, influxd does not start again.
        self.clear()
        self.call("DELETE", f"/api/v2/orgs/{self.id}")


def _described(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """InfluxDB leaves an empty description out."""
    return [{"description": "", **item} for item in items]
