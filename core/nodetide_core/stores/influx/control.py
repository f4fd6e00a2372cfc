"""InfluxDB's control plane: observing and changing buckets and tasks. Small JSON calls, one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from nodetide_core.errors import StoreRejected
from nodetide_core.store import Stream
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.desired import Bucket, Task, digest_of
from nodetide_core.stores.influx.planning import (
    Action,
    CreateBucket,
    CreateTask,
    DeleteBucket,
    DeleteTask,
    Observed,
    SeenBucket,
    SeenTask,
    UpdateBucket,
    UpdateTask,
    streams_of,
)

__all__ = ["Control"]

#: As many at once as InfluxDB gives; of tasks, which come with their texts, fewer.
_BUCKETS, _TASKS = 100, 200
_ID = re.compile("[0-9a-f]{16}")


class Control:
    """
    Args:
        org: name or id of the organization.
    """

    def __init__(self, caller: Caller, org: str) -> None:
        self._caller = caller
        self._org = org
        self._org_id: str | None = None

    def observe(self) -> Observed:
        """
        Raises:
            StoreUnavailable: InfluxDB does not answer, or not with this token.
        """
        return Observed(self.buckets(), self.tasks())

    def buckets(self) -> dict[str, SeenBucket]:
        """By name, as far as the token may read them; InfluxDB's own are left out."""
        # With this every look begins, and an InfluxDB that was set up anew has other ids.
        self._org_id = None
        found = (_seen_bucket(item) for item in self._bucket_pages() if item.get("type") != "system")
        return {seen.bucket.name: seen for seen in found}

    def streams(self) -> list[Stream]:
        """The streams that InfluxDB holds, as far as the token may read their buckets."""
        return streams_of(Observed(self.buckets(), ()))

    def tasks(self) -> list[SeenTask]:
        found = [_seen_task(item) for item in self._task_pages()]
        return sorted(found, key=lambda seen: seen.id)

    def apply(self, actions: Iterable[Action]) -> list[str]:
        """Carry out a plan; where it fails, what was done stays, and planning again gives the rest.

        Returns:
            The ids of what was made, in the order of the plan.

        Raises:
            StoreRejected: InfluxDB refuses an action, such as a name that was taken meanwhile.
            StoreUnavailable: it does not answer, or the token may not do this.
        """
        made = []
        for action in actions:
            for method, path, body in self._requests(action):
                answer = self._caller.call(method, path, body, doing=str(action))
                if method == "POST":
                    made.append(str(answer["id"]))
        return made

    def authorizations(self) -> list[dict[str, Any]]:
        """All tokens of the organization that this one may see, as InfluxDB tells of them."""
        found: list[dict[str, Any]] = self._caller.call("GET", f"/api/v2/authorizations?orgID={self.organization()}")[
            "authorizations"
        ]
        return found

    def authorize(self, description: str, read: Iterable[str], write: Iterable[str]) -> dict[str, Any]:
        """A new token for the buckets of these ids: its ``id``, and ``token``, told this once."""
        permissions = [
            {"action": action, "resource": {"type": "buckets", "id": id, "orgID": self.organization()}}
            for action, ids in (("read", read), ("write", write))
            for id in sorted(ids)
        ]
        body = {"orgID": self.organization(), "description": description, "permissions": permissions}
        made: dict[str, Any] = self._caller.call("POST", "/api/v2/authorizations", body, doing="make a token")
        return made

    def describe_authorization(self, id: str, description: str) -> None:
        body = {"description": description, "status": "active"}
        self._caller.call("PATCH", f"/api/v2/authorizations/{id}", body, doing="describe a token")

    def revoke(self, id: str) -> None:
        self._caller.call("DELETE", f"/api/v2/authorizations/{id}", doing="delete a token")

    def _requests(self, action: Action) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
        if isinstance(action, CreateBucket):
            wanted = action.bucket
            yield (
                "POST",
                "/api/v2/buckets",
                {
                    "orgID": self.organization(),
                    "name": wanted.name,
                    "description": wanted.description,
                    "retentionRules": _rules(wanted),
                },
            )
        elif isinstance(action, UpdateBucket):
            path = f"/api/v2/buckets/{action.id}"
            # Together with a name, InfluxDB leaves the retention as it was.
            if action.before.name != action.after.name:
                yield "PATCH", path, {"name": action.after.name}
            if (action.before.retention, action.before.shard) != (action.after.retention, action.after.shard):
                yield "PATCH", path, {"retentionRules": _rules(action.after)}
            if action.before.description != action.after.description:
                yield "PATCH", path, {"description": action.after.description}
        elif isinstance(action, DeleteBucket):
            yield "DELETE", f"/api/v2/buckets/{action.id}", None
        elif isinstance(action, CreateTask):
            yield "POST", "/api/v2/tasks", {"orgID": self.organization(), **_task(action.task)}
        elif isinstance(action, UpdateTask):
            yield "PATCH", f"/api/v2/tasks/{action.id}", _task(action.task)
        elif isinstance(action, DeleteTask):
            yield "DELETE", f"/api/v2/tasks/{action.id}", None

    def organization(self) -> str:
        """The organization's id.

        Raises:
            StoreUnavailable, StoreRejected
        """
        if self._org_id is None:
            self._org_id = self._find_organization()
        return self._org_id

    def _find_organization(self) -> str:
        named = quote(self._org, safe="")
        # An id is asked for as such only if it looks like one, for InfluxDB overlooks what does not.
        keys = [f"org={named}", *([f"orgID={named}"] if _ID.fullmatch(self._org) else [])]
        # A token for a few buckets may not see its organization, but in its buckets.
        paths = [(f"/api/v2/orgs?{key}", "orgs") for key in keys]
        paths += [(f"/api/v2/buckets?{key}&limit={_BUCKETS}", "buckets") for key in keys]
        for path, key in paths:
            try:
                found = self._caller.call("GET", path)[key]
            except StoreRejected:  # not there, or no id
                continue
            if found:
                return str(found[0]["orgID" if key == "buckets" else "id"])
        raise StoreRejected(
            f"organization {self._org!r} does not exist, or the token may not see it: check INFLUXDB_ORG"
        )

    def _bucket_pages(self) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            query = urlencode({"orgID": self.organization(), "limit": _BUCKETS, "offset": offset})
            page: list[dict[str, Any]] = self._caller.call("GET", f"/api/v2/buckets?{query}")["buckets"]
            # What the token may not read is taken out after the page was cut, so a short page need not be the last.
            if not page:
                return
            yield from page
            offset += _BUCKETS

    def _task_pages(self) -> Iterator[dict[str, Any]]:
        after: dict[str, str] = {}
        while True:
            query = urlencode({"orgID": self.organization(), "limit": _TASKS, **after})
            page: list[dict[str, Any]] = self._caller.call("GET", f"/api/v2/tasks?{query}")["tasks"]
            yield from page
            if len(page) < _TASKS:
                return
            after = {"after": page[-1]["id"]}


def _rules(bucket: Bucket) -> list[dict[str, Any]]:
    return [{"type": "expire", "everySeconds": bucket.retention, "shardGroupDurationSeconds": bucket.shard}]


def _task(task: Task) -> dict[str, Any]:
    return {"flux": task.write(), "description": task.description, "status": "active"}


def _seen_bucket(item: dict[str, Any]) -> SeenBucket:
    rules = item.get("retentionRules") or [{}]
    return SeenBucket(
        item["id"],
        Bucket(
            item["name"],
            int(rules[0].get("everySeconds", 0)),
            int(rules[0].get("shardGroupDurationSeconds", 0)),
            item.get("description", ""),
        ),
    )


def _seen_task(item: dict[str, Any]) -> SeenTask:
    # 2.7 knows no latest success; when it was made a task counts as completed, but has no status.
    completed = item.get("latestCompleted") if item.get("lastRunStatus") == "success" else None
    return SeenTask(
        item["id"],
        Task(item["name"], digest_of(item["flux"]), item.get("description", "")),
        item.get("status") == "active",
        int(datetime.fromisoformat(f"{completed[:19]}+00:00").timestamp()) if completed else 0,
    )
