"""InfluxDB's buckets and tasks in memory: what `Control` does to them, and refuses as the real one does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace

from nodetide_core.errors import StoreRejected
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
)

__all__ = ["SimulatedInflux"]


class SimulatedInflux:
    """
    Attributes:
        done: actions carried out, in order.
        before: called before each call, for tests that let it fail.
    """

    def __init__(self) -> None:
        self.buckets: dict[str, SeenBucket] = {}
        self.tasks: dict[str, SeenTask] = {}
        self.done: list[Action] = []
        self.looks = 0
        self.before: Callable[[Action | None], None] = lambda _: None
        self._ids = itertools.count(1)

    def observe(self) -> Observed:
        self.before(None)
        self.looks += 1
        named = {seen.bucket.name: seen for seen in self.buckets.values()}
        return Observed(named, tuple(self.tasks[id] for id in sorted(self.tasks)))

    def apply(self, actions: Iterable[Action]) -> list[str]:
        made = []
        for action in actions:
            self.before(action)
            id = self._apply(action)
            if isinstance(action, CreateBucket | CreateTask):
                made.append(id)
            self.done.append(action)
        return made

    def taken(self) -> list[Action]:
        done, self.done = self.done, []
        return done

    def _apply(self, action: Action) -> str:
        id = f"{next(self._ids):016x}"
        if isinstance(action, CreateBucket):
            self._free(action.bucket.name, "")
            self.buckets[id] = SeenBucket(id, action.bucket)
        elif isinstance(action, UpdateBucket):
            self._there(action.id in self.buckets)
            self._free(action.after.name, action.id)
            self.buckets[action.id] = SeenBucket(action.id, action.after)
        elif isinstance(action, DeleteBucket):
            self._there(action.id in self.buckets)
            del self.buckets[action.id]
        elif isinstance(action, CreateTask):
            self.tasks[id] = SeenTask(id, action.task, active=True)
        elif isinstance(action, UpdateTask):
            self._there(action.id in self.tasks)
            self.tasks[action.id] = replace(self.tasks[action.id], task=action.task, active=True)
        elif isinstance(action, DeleteTask):
            self._there(action.id in self.tasks)
            del self.tasks[action.id]
        return id

    def _free(self, name: str, id: str) -> None:
        if any(seen.bucket.name == name and seen.id != id for seen in self.buckets.values()):
            raise StoreRejected(f"bucket with name {name} already exists")

    def _there(self, found: bool) -> None:
        if not found:
            raise StoreRejected("not found")
