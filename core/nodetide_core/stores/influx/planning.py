"""From what is desired and what is there to what has to be done.  Pure; a plan is data.

Planning again after the plan was carried out gives nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from nodetide_core.durations import format_duration
from nodetide_core.errors import LossRefused, StoreRejected
from nodetide_core.store import Stream
from nodetide_core.stores.influx.desired import Bucket, Part, Task, task_name
from nodetide_core.stores.influx.ownership import base_of, owner_of, read_stream

__all__ = [
    "Action",
    "CreateBucket",
    "CreateTask",
    "DeleteBucket",
    "DeleteTask",
    "Observed",
    "SeenBucket",
    "SeenTask",
    "UpdateBucket",
    "UpdateTask",
    "loss",
    "plan",
    "streams_of",
    "sweep",
]


@dataclass(frozen=True, slots=True)
class SeenBucket:
    id: str
    bucket: Bucket


@dataclass(frozen=True, slots=True)
class SeenTask:
    """
    Attributes:
        succeeded: Unix seconds that its last run was scheduled for, if that was a success, else 0.
    """

    id: str
    task: Task
    active: bool
    succeeded: int = 0


@dataclass(frozen=True)
class Observed:
    """
    Attributes:
        buckets: by name, system buckets left out.
        tasks: in the order of their ids; names need not be unique.
    """

    buckets: Mapping[str, SeenBucket]
    tasks: Sequence[SeenTask]

    @cached_property
    def tasks_of(self) -> Mapping[str, Sequence[SeenTask]]:
        """The tasks of each stream, by its raw bucket."""
        found: dict[str, list[SeenTask]] = {}
        for seen in self.tasks:
            base = base_of(seen.task.description)
            if base is not None:
                found.setdefault(base, []).append(seen)
        return found


@dataclass(frozen=True, slots=True)
class CreateBucket:
    bucket: Bucket

    def __str__(self) -> str:
        return f"create bucket {self.bucket.name} ({_kept(self.bucket.retention)})"


@dataclass(frozen=True, slots=True)
class UpdateBucket:
    """Only what differs is sent; a name on its own, as InfluxDB wants it."""

    id: str
    before: Bucket
    after: Bucket

    def __str__(self) -> str:
        changes = []
        if self.before.name != self.after.name:
            changes.append(f"name to {self.after.name}")
        if self.before.retention != self.after.retention:
            changes.append(f"{_kept(self.before.retention)} to {_kept(self.after.retention)}")
        if self.before.shard != self.after.shard:
            changes.append(f"shards of {format_duration(self.before.shard)} to {format_duration(self.after.shard)}")
        if self.before.description != self.after.description:
            changes.append("description")
        return f"change bucket {self.before.name}: {', '.join(changes)}"


@dataclass(frozen=True, slots=True)
class DeleteBucket:
    id: str
    name: str

    def __str__(self) -> str:
        return f"delete bucket {self.name} with all its points"


@dataclass(frozen=True, slots=True)
class CreateTask:
    task: Task

    def __str__(self) -> str:
        return f"create task {self.task.name}"


@dataclass(frozen=True, slots=True)
class UpdateTask:
    id: str
    task: Task

    def __str__(self) -> str:
        return f"change task {self.task.name}"


@dataclass(frozen=True, slots=True)
class DeleteTask:
    id: str
    name: str

    def __str__(self) -> str:
        return f"delete task {self.name}"


#: One call of InfluxDB's API; its text is a line for people.
Action = CreateBucket | UpdateBucket | DeleteBucket | CreateTask | UpdateTask | DeleteTask


def sweep(owner: str, dead: Callable[[Stream], bool], observed: Observed) -> tuple[Action, ...]:
    """Ends what an installation made for streams that it keeps no more; their points stay, unless they were not to.

    Args:
        owner: the installation; streams of others, and of nobody, are not touched.
        dead: whether the policy of one of its streams is gone.
    """
    actions: list[Action] = []
    streams = streams_of(observed)
    told = {stream.bucket for stream in streams}
    gone = [stream for stream in streams if stream.owner == owner and dead(stream)]
    bases = {stream.bucket for stream in gone}
    for base, tasks in sorted(observed.tasks_of.items()):
        # Where the raw bucket was deleted by hand, or its description, a task alone tells whose it is. If the
        # stream lives, making it so again makes the task again, too.
        alone = base not in told
        actions += [
            DeleteTask(seen.id, seen.task.name)
            for seen in tasks
            if base in bases or (alone and owner_of(seen.task.description) == owner)
        ]
    for stream in gone:
        if not stream.kept:
            # Raw last, for without it nothing tells of the others.
            names = [tier.bucket(stream.bucket) for tier in (*stream.tiers.rollups, stream.tiers.tiers[0])]
            found = [seen for name in names if (seen := observed.buckets.get(name)) is not None]
            actions += [
                DeleteBucket(seen.id, seen.bucket.name)
                for seen in found
                if seen.bucket.name == stream.bucket or base_of(seen.bucket.description) == stream.bucket
            ]
    return tuple(actions)


def loss(action: Action) -> str | None:
    """What points an action deletes, for people; None where none."""
    if isinstance(action, DeleteBucket):
        return f"all points of {action.name}"
    if isinstance(action, UpdateBucket) and _shorter(action.before.retention, action.after.retention):
        return f"points of {action.before.name} older than {format_duration(action.after.retention)}"
    return None


def streams_of(observed: Observed) -> list[Stream]:
    """The streams that the buckets tell of, in the order of their buckets."""
    found = (read_stream(name, seen.bucket.description) for name, seen in sorted(observed.buckets.items()))
    return [stream for stream in found if stream is not None]


def plan(
    streams: Sequence[Stream],
    parts: Sequence[Part],
    observed: Observed,
    *,
    dead: Callable[[Stream], bool] = lambda _: False,
) -> tuple[Action, ...]:
    """What to do, in order: buckets before the tasks that write to them.

    Tasks and buckets of streams not named are not touched.  What has the right name and is nobody's
    is adopted.

    Args:
        parts: what `nodetide_core.stores.influx.desired.desired` gives for ``streams``.
        dead: whether the policy of a stream of the same owner is gone, so that another may take its bucket.

    Raises:
        StoreRejected: a bucket belongs to another stream.
        LossRefused: a change would lose data, and the stream does not allow it.
    """
    actions: list[Action] = []
    for stream in streams:
        mine = [part for part in parts if part.base == stream.bucket]
        actions += _Stream(stream, mine, observed, dead).plan()
    return tuple(actions)


def _may_take(stream: Stream, old: Stream, dead: Callable[[Stream], bool]) -> bool:
    """Whether a bucket is a stream's to keep: its own, one that no installation keeps, or one that is left."""
    if old.owner not in ("", stream.owner):
        return False
    return old.name == stream.name or (old.owner == stream.owner and dead(old))


class _Stream:
    """Planning for one stream."""

    def __init__(
        self, stream: Stream, parts: Sequence[Part], observed: Observed, dead: Callable[[Stream], bool]
    ) -> None:
        self._dead = dead
        self._stream = stream
        self._parts = parts
        self._observed = observed
        raw = observed.buckets.get(stream.bucket)
        self._old = read_stream(stream.bucket, raw.bucket.description) if raw else None
        #: Names of the buckets of the tiers that there were, by window.
        self._names = {tier.window: tier.bucket(stream.bucket) for tier in self._old.tiers.tiers} if self._old else {}

    def plan(self) -> list[Action]:
        if self._old is not None and not _may_take(self._stream, self._old, self._dead):
            whose = f" of {self._old.owner}" if self._old.owner else ""
            raise StoreRejected(
                f"the bucket {self._stream.bucket} belongs to the policy {self._old.name}{whose}; choose another "
                f"bucket for {self._stream.name}, or empty the bucket's description to take it over"
            )
        removed = self._removed()
        # Raw last: its description is what tells of the tiers, so it must not speak of what is not there yet.
        buckets = [self._bucket(part) for part in (*self._parts[1:], self._parts[0])]
        tasks = [action for part in self._parts for action in self._tasks(part)]
        return [action for action in (*removed, *buckets, *tasks, *self._strays()) if action is not None]

    def _removed(self) -> list[Action]:
        """Tiers that are asked for no more."""
        wanted = {part.window for part in self._parts}
        found: list[Action] = []
        for window, name in self._names.items():
            if window in wanted:
                continue
            seen = self._observed.buckets.get(name)
            if not self._stream.allow_data_loss:
                raise self._loses(f"removing the bucket {name}")
            found += [DeleteTask(seen.id, seen.task.name) for seen in self._seen_tasks(name)]
            if seen is not None and base_of(seen.bucket.description) == self._stream.bucket:
                found.append(DeleteBucket(seen.id, name))
        return found

    def _bucket(self, part: Part) -> Action | None:
        wanted = part.bucket
        old_name = self._names.get(part.window, wanted.name)
        seen = self._observed.buckets.get(wanted.name) or self._observed.buckets.get(old_name)
        if seen is None:
            return CreateBucket(wanted)
        self._refuse_foreign(part, seen.bucket)
        before = seen.bucket.retention
        if _shorter(before, wanted.retention) and not self._stream.allow_data_loss:
            raise self._loses(f"{seen.bucket.name}: {_kept(wanted.retention)} instead of {_kept(before)}")
        return UpdateBucket(seen.id, seen.bucket, wanted) if seen.bucket != wanted else None

    def _refuse_foreign(self, part: Part, bucket: Bucket) -> None:
        told = read_stream(bucket.name, bucket.description)
        base = base_of(bucket.description)
        other = base if base is not None and (base != part.base or part.window == 0) else None
        if told is not None and part.window:
            other = bucket.name
        if other is not None:
            raise StoreRejected(f"the bucket {bucket.name} belongs to the stream of the bucket {other}")

    def _tasks(self, part: Part) -> list[Action]:
        if part.task is None:
            return []
        names = dict.fromkeys((part.bucket.name, self._names.get(part.window, part.bucket.name)))
        found = [seen for name in names for seen in self._seen_tasks(name)]
        if not found:
            return [CreateTask(part.task)]
        kept, *surplus = found
        actions: list[Action] = [DeleteTask(seen.id, seen.task.name) for seen in surplus]
        if kept.task != part.task or not kept.active:
            actions.append(UpdateTask(kept.id, part.task))
        return actions

    def _strays(self) -> list[Action]:
        """Tasks of the stream for none of its tiers, such as one that was renamed by hand and now has a successor."""
        buckets = (*self._names.values(), *(part.bucket.name for part in self._parts))
        names = {task_name(bucket) for bucket in buckets}
        mine = self._observed.tasks_of.get(self._stream.bucket, ())
        return [DeleteTask(seen.id, seen.task.name) for seen in mine if seen.task.name not in names]

    def _seen_tasks(self, bucket: str) -> list[SeenTask]:
        mine = self._observed.tasks_of.get(self._stream.bucket, ())
        return [seen for seen in mine if seen.task.name == task_name(bucket)]

    def _loses(self, what: str) -> LossRefused:
        return LossRefused(f"{what} would lose data, and the stream {self._stream.name} does not allow that")


def _shorter(before: int, after: int) -> bool:
    """Whether a change of retention deletes points; 0 keeps for ever."""
    return after != 0 and (before == 0 or after < before)


def _kept(retention: int) -> str:
    return f"keep {format_duration(retention)}" if retention else "keep for ever"
