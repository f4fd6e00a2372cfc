"""What dead policies leave is ended, all of it and nothing else, wherever it is broken off in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.operator.simulated_influx import SimulatedInflux

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.errors import StoreRejected
from nodetide_core.store import Stream
from nodetide_core.stores.influx.desired import Bucket, Task, desired
from nodetide_core.stores.influx.planning import (
    Action,
    CreateBucket,
    CreateTask,
    DeleteBucket,
    DeleteTask,
    SeenBucket,
    plan,
    streams_of,
    sweep,
)
from nodetide_core.tiers import DEFAULT_TIERS, RAW, Tier, Tiers

DAY = 86_400
MINE = "mine"
TIERS = [
    DEFAULT_TIERS,
    Tiers(DEFAULT_TIERS.tiers[:2]),
    Tiers((Tier(RAW, 0, DAY),)),
    Tiers((Tier(RAW, 0, DAY), Tier("fine", 60, 0), Tier("x", 3_600, 0))),
]


class Killed(BaseException):
    pass


@st.composite
def worlds(draw: st.DrawFn) -> list[Stream]:
    buckets = draw(st.lists(st.sampled_from(["a", "b", "c", "a-b"]), unique=True, max_size=4))
    return [
        Stream(
            draw(st.sampled_from([bucket, f"of-{bucket}"])), bucket, draw(st.sampled_from(TIERS)),
            owner=draw(st.sampled_from([MINE, MINE, "other", "mine too", ""])), kept=draw(st.booleans()),
        )
        for bucket in buckets
    ]  # fmt: skip


def made(streams: list[Stream]) -> SimulatedInflux:
    influx = SimulatedInflux()
    for stream in streams:
        influx.apply(plan([stream], desired([stream], CATALOGUE), influx.observe()))
    influx.apply(
        [CreateBucket(Bucket("foreign", 0, DAY, "somebody's")), CreateTask(Task("foreign", "x", "somebody's"))]
    )
    influx.taken()
    return influx


def state(influx: SimulatedInflux) -> tuple[Any, Any]:
    observed = influx.observe()
    return dict(observed.buckets), list(observed.tasks)


def expected(influx: SimulatedInflux, gone: Mapping[str, Stream]) -> tuple[Any, Any]:
    """By what each thing is named after, and not by what is written in it."""
    names = {tier.bucket(stream.bucket): stream for stream in gone.values() for tier in stream.tiers.tiers}
    buckets, tasks = state(influx)
    return (
        {name: seen for name, seen in buckets.items() if name not in names or names[name].kept},
        [seen for seen in tasks if seen.task.name.removeprefix("nodetide ") not in names],
    )


def cut(after: int) -> Callable[[Action | None], None]:
    """Ends the process before an action, once so many were carried out."""
    left = iter([None] * after)

    def before(action: Action | None) -> None:
        if action is not None and next(left, "none") == "none":
            raise Killed

    return before


@given(worlds(), st.sets(st.sampled_from(["a", "b", "c", "a-b"])), st.lists(st.integers(0, 5), max_size=4))
def test_it_ends_what_is_dead_and_touches_nothing_else(streams: list[Stream], dead: set[str], cuts: list[int]) -> None:
    influx = made(streams)
    gone = {s.bucket: s for s in streams if s.bucket in dead and s.owner == MINE}
    wanted = expected(influx, gone)
    for after in cuts:
        influx.before = cut(after)
        with suppress(Killed):
            influx.apply(sweep(MINE, lambda stream: stream.bucket in dead, influx.observe()))
        influx.before = lambda _: None
    actions = sweep(MINE, lambda stream: stream.bucket in dead, influx.observe())
    influx.apply(actions)
    assert state(influx) == wanted
    assert sweep(MINE, lambda stream: stream.bucket in dead, influx.observe()) == ()
    deleted = {action.name for action in influx.done if isinstance(action, DeleteBucket)}
    assert not deleted & {tier.bucket(s.bucket) for s in gone.values() if s.kept for tier in s.tiers.tiers}


@given(worlds())
def test_raw_goes_last_for_it_tells_of_the_others(streams: list[Stream]) -> None:
    influx = made(streams)
    actions = sweep(MINE, lambda _: True, influx.observe())
    for stream in streams:
        order = [
            action.name for action in actions if isinstance(action, DeleteBucket | DeleteTask)
            and action.name.removeprefix("nodetide ") in {tier.bucket(stream.bucket) for tier in stream.tiers.tiers}
        ]  # fmt: skip
        assert stream.bucket not in order or order[-1] == stream.bucket


def test_a_task_whose_raw_bucket_was_deleted_by_hand_is_ended_by_its_owner_alone() -> None:
    streams = [Stream("p", "a", owner=MINE), Stream("p", "b", owner="other"), Stream("p", "c")]
    influx = made(streams)
    for id, seen in list(influx.buckets.items()):
        if seen.bucket.name in ("a", "b", "c"):
            del influx.buckets[id]
    actions = sweep(MINE, lambda _: False, influx.observe())
    assert sorted(map(str, actions)) == [f"delete task nodetide a-{tier}" for tier in ("1d", "1h", "5m")]


def test_a_bucket_that_somebody_took_over_by_its_description_is_not_deleted() -> None:
    influx = made([Stream("p", "a", owner=MINE, kept=False)])
    (id,) = (id for id, seen in influx.buckets.items() if seen.bucket.name == "a-1h")
    influx.buckets[id] = influx.buckets[id].__class__(id, Bucket("a-1h", 0, DAY, "mine now"))
    influx.apply(sweep(MINE, lambda _: True, influx.observe()))
    assert {seen.bucket.name for seen in influx.buckets.values()} == {"a-1h", "foreign"}


@pytest.mark.parametrize(
    ("owner", "name", "dead", "taken"),
    [
        (MINE, "old", True, True),
        (MINE, "old", False, False),
        ("other", "old", True, False),
        ("", "old", True, False),
        ("", "new", True, True),
        ("other", "new", True, False),
        (MINE, "new", False, True),
    ],
)
def test_a_bucket_is_taken_over_from_a_dead_policy_of_the_same_installation_alone(
    owner: str, name: str, dead: bool, taken: bool
) -> None:
    influx = made([Stream(name, "a", owner=owner)])
    wanted = Stream("new", "a", owner=MINE)
    parts = desired([wanted], CATALOGUE)
    if not taken:
        with pytest.raises(StoreRejected, match=f"the bucket a belongs to the policy {name}"):
            plan([wanted], parts, influx.observe(), dead=lambda _: dead)
        return
    influx.apply(plan([wanted], parts, influx.observe(), dead=lambda _: dead))
    assert streams_of(influx.observe()) == [wanted]
    assert plan([wanted], parts, influx.observe(), dead=lambda _: dead) == ()


def test_a_task_whose_raw_bucket_lost_its_description_is_ended_by_its_owner_alone() -> None:
    influx = made([Stream("p", "a", owner=MINE), Stream("p", "b", owner="other")])
    for id, seen in list(influx.buckets.items()):
        if seen.bucket.name in ("a", "b"):
            influx.buckets[id] = SeenBucket(id, replace(seen.bucket, description=""))
    actions = sweep(MINE, lambda _: False, influx.observe())
    assert sorted(map(str, actions)) == [f"delete task nodetide a-{tier}" for tier in ("1d", "1h", "5m")]


def test_a_task_that_was_renamed_by_hand_is_replaced_and_not_doubled() -> None:
    stream = Stream("p", "a", owner=MINE)
    influx = made([stream, Stream("q", "b", owner=MINE)])
    wanted = {seen.task for seen in influx.observe().tasks}
    for id, seen in list(influx.tasks.items()):
        if seen.task.name in ("nodetide a-1h", "nodetide b-1h"):
            influx.tasks[id] = replace(seen, task=replace(seen.task, name=f"my {seen.task.name}"))
    theirs = {seen.task for seen in influx.observe().tasks if "b-1h" in seen.task.name}
    influx.apply(plan([stream], desired([stream], CATALOGUE), influx.observe()))
    left = {seen.task for seen in influx.observe().tasks}
    assert left == {task for task in wanted if task.name != "nodetide b-1h"} | theirs, "another stream's is not touched"
    assert plan([stream], desired([stream], CATALOGUE), influx.observe()) == ()
