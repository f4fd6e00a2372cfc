"""The older policy keeps its buckets, and a judge with a memory judges as one without."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.policy import ALLOW_DATA_LOSS
from nodetide_operator.config import OperatorConfig
from nodetide_operator.judging import Judge, Judged
from nodetide_operator.world import PolicyObject

# Two of these tiers' buckets have the names of others' raw ones.
SPECS: list[dict[str, Any]] = [
    {},
    {"storage": {"bucket": "x"}},
    {"storage": {"bucket": "x-5m"}},
    {"storage": {"bucket": "x", "tiers": [{"name": "raw", "retention": "2h"}]}},
    {"storage": {"bucket": "y", "deletionPolicy": "Delete"}},
    {"storage": {"bucket": "x", "tiers": []}},
    {"collection": {"interval": "soon"}},
    {"suspend": True},
]


@st.composite
def worlds(draw: st.DrawFn) -> list[PolicyObject]:
    keys = draw(st.lists(st.tuples(st.sampled_from(["nodetide", "team"]), st.sampled_from("abc")), unique=True))
    return [
        PolicyObject(
            namespace, name, f"{namespace}/{name}/{draw(st.integers(0, 1))}", draw(st.integers(1, 2)),
            f"2026-01-0{draw(st.integers(1, 3))}T00:00:00Z", draw(st.sampled_from([{}, {ALLOW_DATA_LOSS: "true"}])),
            status=draw(st.sampled_from([{}, {"buckets": []}, {"buckets": [{"name": "x"}]}])),
        )
        for namespace, name in keys
    ]  # fmt: skip


def specified(world: list[PolicyObject]) -> list[PolicyObject]:
    """A spec for each that only changes as the apiserver lets it: with the generation, or the object."""
    return [
        replace(policy, spec=SPECS[sum(map(ord, policy.uid + str(policy.generation))) % len(SPECS)]) for policy in world
    ]


def buckets(item: Judged) -> set[str]:
    return {part.bucket.name for part in item.parts}


@given(worlds().map(specified))
def test_every_bucket_is_the_oldest_ones_that_wants_it_and_may_have_it(config: OperatorConfig, world: Any) -> None:
    judged = Judge(config).judge(world)
    assert judged.keys() == {policy.key for policy in world}
    taken: dict[str, tuple[str, str]] = {}
    # Ages are in whole seconds, and nobody is to lose a bucket to a name that comes first.
    for item in sorted(
        judged.values(), key=lambda i: (i.object.created, not i.object.status.get("buckets"), i.object.key)
    ):
        contested = buckets(item) & taken.keys()
        assert item.good == (item.policy is not None and not contested)
        if item.policy is None:
            assert item.problems and not item.parts and item.conflict is None
        elif contested:
            assert item.conflict is not None
            assert item.conflict.bucket in contested
            assert item.conflict.holder == taken[item.conflict.bucket]
        else:
            taken.update(dict.fromkeys(buckets(item), item.object.key))


@given(st.lists(worlds().map(specified), min_size=1, max_size=4))
def test_what_it_remembers_does_not_change_what_it_judges(config: OperatorConfig, history: Any) -> None:
    judge = Judge(config)
    for number, policies in enumerate(history):
        world = [replace(policy, status={**policy.status, "seen": number}) for policy in policies]
        assert judge.judge(world) == Judge(config).judge(world)


def test_it_judges_anew_only_what_changed(config: OperatorConfig, bodies: Any) -> None:
    judge = Judge(config)
    first = judge.judge([bodies.object("a"), bodies.object("b")])
    again = judge.judge([replace(bodies.object("a"), status={"lag": "0s"}), bodies.object("b", generation=2)])
    key, other = ("nodetide", "a"), ("nodetide", "b")
    assert again[key].parts is first[key].parts
    assert again[key].object.status == {"lag": "0s"}
    assert again[other].parts is not first[other].parts


def test_a_bucket_can_be_taken_through_the_name_of_a_tiers(config: OperatorConfig, bodies: Any) -> None:
    young = bodies.object("young", {"storage": {"bucket": "x-5m"}}, creationTimestamp="2026-01-02T00:00:00Z")
    old = bodies.object("old", {"storage": {"bucket": "x"}})
    judged = Judge(config).judge([young, old])
    assert judged["nodetide", "old"].good
    conflict = judged["nodetide", "young"].conflict
    assert conflict is not None
    assert (conflict.bucket, conflict.holder) == ("x-5m", ("nodetide", "old"))


def test_streams_tell_of_namespace_owner_and_deletion_policy(config: OperatorConfig, bodies: Any) -> None:
    cluster = replace(config, cluster="east")
    spec = {"storage": {"deletionPolicy": "Delete"}}
    judged = Judge(cluster).judge([bodies.object("a"), bodies.object("a", spec, namespace="team", uid="other")])
    streams = {item.stream_name: item.stream for item in judged.values()}
    assert streams.keys() == {"a", "team/a"}
    assert [(s.name, s.owner, s.kept) for s in streams.values() if s] == [
        ("a", "east/nodetide", True), ("team/a", "east/nodetide", False)
    ]  # fmt: skip


@pytest.mark.parametrize("spec", [{"collection": 5}, {"storage": {"tiers": [None]}}, {"alerts": "x"}, {1: 2}])
def test_what_the_apiserver_would_have_refused_stops_nobody_else(
    config: OperatorConfig, bodies: Any, spec: Any
) -> None:
    judged = Judge(config).judge([bodies.object("bad", spec), bodies.object("good")])
    assert judged["nodetide", "good"].good
    assert judged["nodetide", "bad"].problems


def test_what_nobody_foresaw_in_one_stops_nobody_else(config: OperatorConfig, bodies: Any) -> None:
    class Broken(dict[str, Any]):
        def __iter__(self) -> Any:
            raise RuntimeError("unforeseen")

        keys = __iter__

    judged = Judge(config).judge([replace(bodies.object("bad"), spec=Broken(x=1)), bodies.object("good")])
    assert judged["nodetide", "good"].good
    assert "RuntimeError('unforeseen')" in str(judged["nodetide", "bad"].problems[0])
