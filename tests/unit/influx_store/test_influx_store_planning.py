"""Plans: complete, without loss that was not allowed, and empty once carried out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.errors import LossRefused, StoreRejected
from nodetide_core.store import Stream
from nodetide_core.stores.influx.desired import Bucket, Task, desired
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
    loss,
    plan,
    streams_of,
)
from nodetide_core.tiers import DEFAULT_TIERS, RAW, Tier, Tiers

DAY = 86_400
EMPTY = Observed({}, ())

_ids = itertools.count(1_000)

_windows = st.sampled_from([(), (60,), (300,), (60, 300), (300, 3_600), (60, 300, 3_600)])
_retention = st.sampled_from([0, 3_600, DAY, 3 * DAY, 400 * DAY])


@st.composite
def streams(draw: st.DrawFn, bucket: str = "b") -> Stream:
    windows = draw(_windows)
    tiers = [Tier(RAW, 0, draw(_retention))]
    tiers += [Tier(draw(st.sampled_from([f"{w}s", f"w{w}"])), w, draw(_retention)) for w in windows]
    return Stream("p", bucket, Tiers(tuple(tiers), draw(st.integers(1, 900))), draw(st.integers(1, 60)), True)


def planned(wanted: Sequence[Stream], observed: Observed) -> tuple[Action, ...]:
    return plan(wanted, desired(wanted, CATALOGUE), observed)


def applied(observed: Observed, actions: Iterable[Action]) -> Observed:
    """What InfluxDB would hold then: as strict with names as the real one, and as lax with tasks."""
    buckets = {seen.id: seen.bucket for seen in observed.buckets.values()}
    tasks = {seen.id: seen for seen in observed.tasks}
    for action in actions:
        assert str(action)
        if isinstance(action, CreateBucket | UpdateBucket):
            bucket = action.bucket if isinstance(action, CreateBucket) else action.after
            id = str(next(_ids)) if isinstance(action, CreateBucket) else action.id
            assert isinstance(action, CreateBucket) or buckets[id] == action.before
            assert bucket.name not in {other.name for key, other in buckets.items() if key != id}, "422 conflict"
            buckets[id] = bucket
        elif isinstance(action, DeleteBucket):
            assert buckets.pop(action.id).name == action.name
        elif isinstance(action, CreateTask):
            id = str(next(_ids))
            tasks[id] = SeenTask(id, action.task, active=True)
        elif isinstance(action, UpdateTask):
            tasks[action.id] = replace(tasks[action.id], task=action.task, active=True)
        elif isinstance(action, DeleteTask):
            del tasks[action.id]
    named = {bucket.name: SeenBucket(id, bucket) for id, bucket in buckets.items()}
    return Observed(named, tuple(tasks[id] for id in sorted(tasks)))


@given(st.lists(streams(), min_size=1, max_size=4), streams(bucket="other"))
def test_after_any_history_the_plan_is_carried_out_and_then_empty(history: list[Stream], other: Stream) -> None:
    observed = applied(EMPTY, planned([other], EMPTY))
    untouched = set(observed.buckets)
    for wanted in history:
        observed = applied(observed, planned([wanted], observed))
        assert planned([wanted], observed) == ()
        assert [s for s in streams_of(observed) if s.bucket == "b"] == [wanted]
        names = {tier.bucket("b"): tier.retention for tier in wanted.tiers.tiers}
        mine = {name: seen.bucket.retention for name, seen in observed.buckets.items() if name not in untouched}
        assert mine == names
        tasks = sorted(seen.task.name for seen in observed.tasks if seen.task.description.endswith(": b"))
        assert tasks == sorted(f"nodetide {tier.bucket('b')}" for tier in wanted.tiers.rollups)
    assert planned([other], observed) == ()


@given(streams(), streams())
def test_what_loses_data_must_be_allowed(before: Stream, after: Stream) -> None:
    observed = applied(EMPTY, planned([before], EMPTY))
    kept = {tier.window: tier.retention for tier in after.tiers.tiers}
    loses = any(
        tier.window not in kept or (kept[tier.window] and (not tier.retention or kept[tier.window] < tier.retention))
        for tier in before.tiers.tiers
    )
    careful = replace(after, allow_data_loss=False)
    if loses:
        with pytest.raises(LossRefused, match=r"lose data.*does not allow"):
            planned([careful], observed)
    else:
        assert planned([careful], observed) == planned([after], observed)
    assert loses == any(loss(action) for action in planned([after], observed))
    deleted = [a for a in planned([after], observed) if isinstance(a, DeleteBucket)]
    assert {a.name for a in deleted} == {tier.bucket("b") for tier in before.tiers.tiers if tier.window not in kept}


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (0, DAY, "points of b older than 1d"),
        (2 * DAY, DAY, "points of b older than 1d"),
        (DAY, DAY, None),
        (DAY, 2 * DAY, None),
        (DAY, 0, None),
        (0, 0, None),
    ],
)
def test_what_is_lost_is_told(before: int, after: int, lost: str | None) -> None:
    first, then = Bucket("b", before, 3_600, "x"), Bucket("b", after, 3_600, "y")
    assert loss(UpdateBucket("1", first, then)) == lost
    task = Task("t", "", "")
    for harmless in (CreateBucket(then), CreateTask(task), UpdateTask("1", task), DeleteTask("1", "t")):
        assert loss(harmless) is None
    assert loss(DeleteBucket("1", "b")) == "all points of b"


def test_the_default_plan_reads_well() -> None:
    actions = planned([Stream("system-metrics", "system-metrics")], EMPTY)
    assert [str(action) for action in actions] == [
        "create bucket system-metrics-5m (keep 7d)",
        "create bucket system-metrics-1h (keep 30d)",
        "create bucket system-metrics-1d (keep 365d)",
        "create bucket system-metrics (keep 1d)",
        "create task nodetide system-metrics-5m",
        "create task nodetide system-metrics-1h",
        "create task nodetide system-metrics-1d",
    ]
    shards = {action.bucket.name: action.bucket.shard for action in actions if isinstance(action, CreateBucket)}
    assert list(shards.values()) == [DAY, DAY, 7 * DAY, 3_600]


def test_a_bucket_that_is_nobodys_is_adopted_with_what_it_holds() -> None:
    found = Observed({"b": SeenBucket("1", Bucket("b", DAY, 3_600, "mine"))}, ())
    wanted = Stream("p", "b", Tiers((DEFAULT_TIERS.raw,)))
    (action,) = planned([wanted], found)
    assert str(action) == "change bucket b: description"
    for_ever = Observed({"b": SeenBucket("1", Bucket("b", 0, 7 * DAY, ""))}, ())
    with pytest.raises(StoreRejected, match="b: keep 1d instead of keep for ever would lose data"):
        planned([wanted], for_ever)


def test_a_bucket_of_another_stream_is_left_alone() -> None:
    observed = applied(EMPTY, planned([Stream("p", "b")], EMPTY))
    for wanted, message in (
        (Stream("q", "b"), "belongs to the policy p"),
        (Stream("q", "b-5m"), "b-5m belongs to the stream of the bucket b"),
    ):
        with pytest.raises(StoreRejected, match=message):
            planned([replace(wanted, allow_data_loss=True)], observed)
    mine = applied(EMPTY, planned([Stream("q", "b-5m")], EMPTY))
    with pytest.raises(StoreRejected, match="b-5m belongs to the stream of the bucket b-5m"):
        planned([Stream("p", "b")], mine)


def test_tasks_are_not_unique_so_surplus_ones_go_and_changed_ones_are_mended() -> None:
    stream = Stream("p", "b", Tiers(DEFAULT_TIERS.tiers[:2]))
    observed = applied(EMPTY, planned([stream], EMPTY))
    (task,) = observed.tasks
    foreign = SeenTask("0", Task("nodetide b-5m", "mine", ""), active=True)
    twice = replace(observed, tasks=(foreign, task, replace(task, id=task.id + "0")))
    assert planned([stream], twice) == (DeleteTask(task.id + "0", "nodetide b-5m"),)
    for broken in (replace(task, active=False), replace(task, task=replace(task.task, digest="x"))):
        assert planned([stream], replace(observed, tasks=(broken,))) == (UpdateTask(task.id, task.task),)


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (Stream("p", "b", Tiers((Tier(RAW, 0, 60),))), "b: InfluxDB keeps points at least 1h"),
        (Stream("p", "_b"), "'_b' cannot be a bucket"),
        (Stream("p", 'b"'), "cannot be a bucket"),
        (Stream("p", "b/c"), "cannot be a bucket"),
        (Stream("p", "b\n"), "cannot be a bucket"),
        (Stream("p", ""), "cannot be a bucket"),
        (Stream("p", "b", Tiers((Tier("5m", 300, 0),))), "the first tier must be raw"),
        (Stream("p", "b", Tiers((Tier(RAW, 0, 0), Tier("a", 60, 0), Tier("c", 90, 0)))), "window of c must be a mult"),
        (Stream("p", "b", Tiers((Tier(RAW, 0, 0),), 0)), "counter_gap must be at least 1 s"),
    ],
)
def test_what_cannot_be_is_refused_by_name(stream: Stream, message: str) -> None:
    with pytest.raises(StoreRejected, match=message):
        desired([stream], CATALOGUE)


def test_two_streams_cannot_share_a_bucket() -> None:
    with pytest.raises(StoreRejected, match="b-5m is asked for 2 times"):
        desired([Stream("p", "b"), Stream("q", "b-5m")], CATALOGUE)
