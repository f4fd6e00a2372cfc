"""Whatever order events and lists come in, the world ends as the apiserver has it; only what matters wakes a turn."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nodetide_operator.world import World

NAMES = st.sampled_from(["a", "b", "c"])
KINDS = st.sampled_from(["policy", "node"])
Body = dict[str, Any]


class Watched(RuleBasedStateMachine):
    """An apiserver, a watch that delivers late and loses what happens while it is away, and lists that take long.

    Events of one object come in order; of two that bore the same name, in any.
    """

    @initialize()
    def start(self) -> None:
        self.world = World(monotonic=lambda: 0.0)
        self.there: dict[tuple[str, str], Body] = {}
        self.events: dict[str, deque[tuple[str, str, Body]]] = {}
        self.watching = True
        self.list: list[tuple[str, Body]] | None = None
        self.version = 8  # so that versions of different lengths occur

    def happened(self, event: str, kind: str, body: Body) -> None:
        if self.watching:
            queue = self.events.setdefault(body["metadata"]["uid"], deque())
            queue.append((event, kind, copy.deepcopy(body)))

    def stamp(self, body: Body) -> None:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)

    @rule(kind=KINDS, name=NAMES)
    def create(self, kind: str, name: str) -> None:
        if (kind, name) not in self.there:
            metadata = {"namespace": "n", "name": name, "uid": f"{kind}{self.version}", "generation": 1, "labels": {}}
            body: Body = {"metadata": metadata, "spec": {}, "status": {}}
            self.stamp(body)
            self.there[kind, name] = body
            self.happened("ADDED", kind, body)

    @rule(kind=KINDS, name=NAMES, what=st.sampled_from(["spec", "status", "annotations", "labels"]))
    def change(self, kind: str, name: str, what: str) -> None:
        if (kind, name) in self.there:
            body = self.there[kind, name]
            self.stamp(body)
            metadata = body["metadata"]
            if what == "spec":
                body["spec"] = {"changed": self.version}
                metadata["generation"] += 1
            elif what == "status":
                body["status"] = {"changed": self.version}
            else:
                metadata[what] = {"nodetide.io/changed": str(self.version)}
            self.happened("MODIFIED", kind, body)

    @rule(kind=KINDS, name=NAMES)
    def delete(self, kind: str, name: str) -> None:
        if (kind, name) in self.there:
            body = self.there.pop((kind, name))
            self.stamp(body)
            self.happened("DELETED", kind, body)

    @precondition(lambda self: self.events)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        uid = data.draw(st.sampled_from(sorted(self.events)))
        event, kind, body = self.events[uid].popleft()
        if not self.events[uid]:
            del self.events[uid]
        seen = self.world.policy_seen if kind == "policy" else self.world.node_seen
        seen(body, deleted=event == "DELETED")

    @rule()
    def break_off(self) -> None:
        self.watching = False
        self.events.clear()

    @precondition(lambda self: not self.watching)
    @rule()
    def watch_again(self) -> None:
        self.watching = True
        for (kind, _), body in self.there.items():
            self.happened("ADDED", kind, body)

    @precondition(lambda self: self.list is None)
    @rule()
    def begin_list(self) -> None:
        self.world.listing()
        self.list = [(kind, copy.deepcopy(body)) for (kind, _), body in self.there.items()]

    @precondition(lambda self: self.list is not None)
    @rule()
    def end_list(self) -> None:
        assert self.list is not None
        self.world.relisted(*([body for of, body in self.list if of == kind] for kind in ("policy", "node")))
        self.list = None

    @invariant()
    def with_nothing_under_way_it_is_what_the_apiserver_has(self) -> None:
        """Also where watching was broken off, once there was a list: deletions in between are never told."""
        if self.watching and not self.events and self.list is None:
            self.list_whole()
            self.check()

    def teardown(self) -> None:
        if self.list is not None:
            self.end_list()
        while self.events:
            uid = next(iter(self.events))
            for event, kind, body in self.events.pop(uid):
                seen = self.world.policy_seen if kind == "policy" else self.world.node_seen
                seen(body, deleted=event == "DELETED")
        self.list_whole()
        self.check()

    def list_whole(self) -> None:
        self.begin_list()
        self.end_list()

    def check(self) -> None:
        snapshot = self.world.snapshot()
        policies = {name: body for (kind, name), body in self.there.items() if kind == "policy"}
        nodes = {name: body["metadata"]["labels"] for (kind, name), body in self.there.items() if kind == "node"}
        assert {key[1]: (found.uid, found.spec, found.status) for key, found in snapshot.policies.items()} == {
            name: (body["metadata"]["uid"], body["spec"], body["status"]) for name, body in policies.items()
        }
        assert snapshot.nodes == nodes


class WatchedWithoutBreaks(Watched):
    """A watch that never breaks needs no list at the end, though lists that are out of date came in between."""

    break_off = None  # type: ignore[assignment]
    watch_again = None  # type: ignore[assignment]

    def list_whole(self) -> None:
        pass


TestWatched = Watched.TestCase
TestWatchedWithoutBreaks = WatchedWithoutBreaks.TestCase


class Woken:
    def __init__(self) -> None:
        self.times = 0
        self.now = 0.0
        self.world = World(self.wake, lambda: self.now)

    def wake(self) -> None:
        self.times += 1

    def since(self) -> int:
        times, self.times = self.times, 0
        return times

    def relist(self, policies: list[Body], nodes: list[Body], unlisted: tuple[str, ...] = ()) -> bool:
        self.world.listing()
        return self.world.relisted(policies, nodes, unlisted)


def test_only_what_a_turn_acts_upon_wakes_it(bodies: Any) -> None:
    it = Woken()
    policy = bodies.policy("a", {"x": 1})
    it.world.policy_seen(policy)
    assert it.since() == 1
    for version, more in enumerate(
        (
            {"status": {"lag": "0s"}},
            {"status": {}},
            {"metadata": {**policy["metadata"], "annotations": {"kubectl": "x"}}},
        ),
        2,
    ):
        body = {**policy, **more}
        body["metadata"] = {**body["metadata"], "resourceVersion": str(version)}
        it.world.policy_seen(body)
        assert it.since() == 0
        assert it.world.snapshot().policies["nodetide", "a"].version == str(version)
    for version, metadata in enumerate(
        ({"generation": 2}, {"annotations": {"nodetide.io/allow-data-loss": "true"}}), 5
    ):
        it.world.policy_seen(bodies.policy("a", **metadata, resourceVersion=str(version)))
        assert it.since() == 1
    it.world.node_seen(bodies.node("n", {"pool": "x"}))
    assert it.since() == 1
    it.world.node_seen({**bodies.node("n", {"pool": "x"}, resourceVersion="2"), "status": {"heartbeat": "now"}})
    assert it.since() == 0
    it.world.node_seen(bodies.node("n", {"pool": "y"}, resourceVersion="3"))
    assert it.since() == 1
    it.world.node_seen(bodies.node("n", {"pool": "y"}, resourceVersion="4"), deleted=True)
    assert it.since() == 1
    it.world.node_seen(bodies.node("n", {"pool": "y"}, resourceVersion="4"), deleted=True)
    assert it.since() == 0


def test_the_deletion_of_one_that_was_made_anew_under_its_name_is_old_news(bodies: Any) -> None:
    """Whatever versions look like: Kubernetes once promised nothing of them."""
    it = Woken()
    it.world.policy_seen(bodies.policy("a", uid="new", resourceVersion="x"))
    it.world.policy_seen(bodies.policy("a", uid="old", resourceVersion="y"), deleted=True)
    assert it.world.snapshot().policies["nodetide", "a"].uid == "new"


def test_what_was_written_is_known_before_the_watch_tells_and_what_it_tells_late_changes_nothing(bodies: Any) -> None:
    it = Woken()
    it.world.policy_seen(bodies.policy("a", resourceVersion="9"))
    it.since()
    it.world.policy_written({**bodies.policy("a", resourceVersion="11"), "status": {"lag": "0s"}})
    it.world.policy_seen(bodies.policy("a", resourceVersion="10"))
    found = it.world.snapshot().policies["nodetide", "a"]
    assert (found.version, found.status, it.since()) == ("11", {"lag": "0s"}, 0)
    # Of one that was changed or is gone since, the watch tells.
    it.world.policy_written({**bodies.policy("a", generation=2, resourceVersion="12"), "spec": {"x": 1}})
    it.world.policy_written(bodies.policy("gone"))
    assert it.world.snapshot().policies == {("nodetide", "a"): found}


def test_watches_owe_what_lists_show_until_they_tell(bodies: Any) -> None:
    it = Woken()
    assert it.relist([bodies.policy("a")], [bodies.node("n")])
    assert (it.since(), it.world.overdue) == (1, 0.0)
    it.now = 60.0
    assert not it.relist([bodies.policy("a")], [bodies.node("n")])
    assert (it.since(), it.world.overdue) == (0, 60.0)
    it.world.policy_seen(bodies.policy("a"))
    it.now = 90.0
    assert not it.relist([bodies.policy("a")], [bodies.node("n")])
    assert it.world.overdue == 90.0, "one kind alone may have stalled"
    it.world.node_seen(bodies.node("n"))
    it.now = 120.0
    assert it.relist([bodies.policy("a")], [bodies.node("n")])
    assert it.world.overdue == 0.0
    # Time does not count while there are no lists: then it is the apiserver that is away.
    it.relist([bodies.policy("a", generation=2, resourceVersion="2")], [])
    it.now = 9_000.0
    assert it.world.overdue == 0.0
    # What is gone is owed no more, and that it is gone never was.
    it.relist([], [])
    it.now = 9_999.0
    assert it.relist([], [])


@given(st.lists(st.booleans(), min_size=3, max_size=30))
def test_a_watch_that_is_only_late_is_never_overdue(order: list[bool]) -> None:
    """However often lists see changes first."""
    it = Woken()
    for labels, listed_first in enumerate(order):
        it.now += 60.0
        body = {"metadata": {"name": "n", "uid": "u", "resourceVersion": str(labels), "labels": {"x": str(labels)}}}
        if listed_first:
            it.relist([], [body])
            it.world.node_seen(body)
        else:
            it.world.node_seen(body)
            it.relist([], [body])
        assert it.world.overdue == 0.0


def test_policies_of_a_namespace_that_may_not_be_listed_stay_as_they_are_known(bodies: Any) -> None:
    it = Woken()
    theirs = bodies.policy("b", namespace="team")
    it.relist([bodies.policy("a"), theirs], [])
    it.relist([], [], unlisted=("team",))
    assert list(it.world.snapshot().policies) == [("team", "b")]
    assert it.world.snapshot().unlisted == {"team"}
    it.world.policy_seen({**theirs, "metadata": {**theirs["metadata"], "resourceVersion": "2"}}, deleted=True)
    assert not it.world.snapshot().policies
    it.relist([theirs], [])
    assert list(it.world.snapshot().policies) == [("team", "b")]
    assert not it.world.snapshot().unlisted
