"""What the operator renders for nodes is what a node reads: nothing more, nothing less."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.errors import PolicyError
from nodetide_core.policy import Policy, parse_policy
from nodetide_core.policy.nodes import collected_hash, kept_policies, policies_of_node, render_nodes

NAMES = st.sampled_from(["a", "b", "c", "d"])
LABELS = st.dictionaries(st.sampled_from(["zone", "gpu", "role"]), st.sampled_from(["x", "y", ""]), max_size=3)
SELECTORS = st.one_of(
    st.just({}),
    st.builds(lambda labels: {"matchLabels": labels}, LABELS),
    st.builds(
        lambda key, operator: {"matchExpressions": [{"key": key, "operator": operator}]},
        st.sampled_from(["zone", "gpu"]),
        st.sampled_from(["Exists", "DoesNotExist"]),
    ),
)
SPECS = st.builds(
    lambda suspend, selector, interval, copied: {
        "suspend": suspend,
        "nodeSelector": selector,
        "collection": {"interval": interval, "nodeLabels": copied, "labels": {"team": "t"}},
    },
    st.booleans(),
    SELECTORS,
    st.sampled_from(["1s", "10s"]),
    st.lists(st.sampled_from(["zone", "role"]), unique=True),
)
NODES = st.dictionaries(st.sampled_from([f"node-{n}" for n in range(6)]), LABELS)


def parsed(name: str, spec: dict[str, Any]) -> Policy:
    document = {"apiVersion": "nodetide.io/v1alpha1", "kind": "MetricPolicy", "metadata": {"name": name}, "spec": spec}
    return parse_policy(document)


def through_json(document: Any) -> Any:
    return json.loads(json.dumps(document))


@given(st.dictionaries(NAMES, SPECS), NODES)
def test_a_node_reads_the_policies_that_select_it(specs: dict[str, Any], nodes: dict[str, dict[str, str]]):
    policies = {name: parsed(name, spec) for name, spec in specs.items()}
    document = through_json(render_nodes([(policies[name], specs[name]) for name in specs], nodes))
    for node, labels in nodes.items():
        found = {policy.name: policy for policy in policies_of_node(document, node)}
        assert set(found) == {n for n, p in policies.items() if not p.suspend and p.node_selector.matches(labels)}
        for name, policy in found.items():
            wanted = policies[name]
            copied = {key: labels[key] for key in wanted.collection.node_labels if key in labels}
            assert policy.collection.labels == {"team": "t", **copied}
            assert policy.collection.groups == wanted.collection.groups
            assert policy.storage.bucket == wanted.storage.bucket
            assert policy.hash == collected_hash(wanted, specs[name])


@given(st.dictionaries(NAMES, SPECS), NODES)
def test_a_node_nobody_knows_yet_gets_what_cannot_depend_on_its_labels(
    specs: dict[str, Any], nodes: dict[str, dict[str, str]]
):
    policies = [(parsed(name, spec), spec) for name, spec in specs.items()]
    found = {policy.name for policy in policies_of_node(render_nodes(policies, nodes), "new")}
    assert found == {
        name
        for name, spec in specs.items()
        if not spec["suspend"] and not any(spec["nodeSelector"].values()) and not spec["collection"]["nodeLabels"]
    }


@given(st.dictionaries(NAMES, SPECS, max_size=3), NODES, st.randoms(use_true_random=False))
def test_the_same_world_gives_the_same_bytes(specs: dict[str, Any], nodes: dict[str, dict[str, str]], random: Any):
    policies = [(parsed(name, spec), spec) for name, spec in specs.items()]
    shuffled, turned = random.sample(policies, len(policies)), dict(random.sample(list(nodes.items()), len(nodes)))
    assert json.dumps(render_nodes(policies, nodes)) == json.dumps(render_nodes(shuffled, turned))


def test_five_thousand_nodes_stay_small():
    specs: dict[str, Any] = {
        "all": {},
        "gpu": {"nodeSelector": {"matchLabels": {"gpu": "yes"}}, "collection": {"interval": "10s"}},
        "zoned": {"collection": {"nodeLabels": ["zone"]}},
    }
    nodes = {
        f"ip-10-0-{n // 256}-{n % 256}.example.internal": {"zone": f"z{n % 3}", "gpu": "yes" if n % 7 == 0 else "no"}
        for n in range(5_000)
    }
    document = render_nodes([(parsed(name, spec), spec) for name, spec in specs.items()], nodes)
    assert len(document["groups"]) == 6
    assert len(json.dumps(document)) < 256 * 1024


def test_only_what_nodes_act_upon_is_in_the_hash():
    spec: dict[str, Any] = {
        "collection": {"interval": "5s"},
        "storage": {"tiers": [{"name": "raw", "retention": "2h"}]},
    }
    before = collected_hash(parsed("a", spec), spec)
    other = {
        **spec,
        "storage": {"tiers": [{"name": "raw", "retention": "3h"}]},
        "nodeSelector": {"matchLabels": {"a": "b"}},
    }
    assert collected_hash(parsed("a", other), other) == before
    faster = {**spec, "collection": {"interval": "1s"}}
    assert collected_hash(parsed("a", faster), faster) != before


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"version": 2}, "must be 1, not 2: collector and operator differ"),
        ([], "must be 1, not 'list'"),
        ({"version": 1, "policies": {}, "everyone": ["a"], "groups": []}, "not a document of node settings"),
        ({"version": 1, "policies": {}, "everyone": [], "groups": [3]}, "not a document of node settings"),
        ({"version": 1, "policies": {"a": {"collection": {"interval": 1}, "bucket": "b"}}, "everyone": ["a"],
          "groups": []}, "spec.collection.interval"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(document: Any, told: str):
    with pytest.raises(PolicyError, match=told):
        policies_of_node(document, "n")


@given(st.dictionaries(NAMES, SPECS), NODES, NODES, st.sets(NAMES))
def test_what_is_kept_of_a_policy_is_what_it_said(
    specs: dict[str, Any], nodes: dict[str, Any], later: dict[str, Any], names: set[str]
):
    """Also for nodes that come later, and whose labels change."""
    whole = [(parsed(name, spec), spec) for name, spec in specs.items()]
    document = through_json(render_nodes(whole, nodes))
    kept = kept_policies(document, sorted(names))
    active = {policy.name for policy, _ in whole if not policy.suspend}
    assert {policy.name for policy, _ in kept} == names & active
    again = [pair for pair in whole if pair[0].name not in names] + kept
    wanted = [pair for pair in whole if pair[0].name not in names or pair[0].name in active]
    assert through_json(render_nodes(again, later)) == through_json(render_nodes(wanted, later))
    assert {p.name: collected_hash(p, s) for p, s in kept} == {
        p.name: collected_hash(p, s) for p, s in whole if p.name in names & active
    }


@pytest.mark.parametrize(
    "document",
    [
        None, [], "x", {}, {"version": 1}, {"version": 2, "policies": {"a": {}}}, {"version": 1, "policies": {"a": {}}},
        {"version": 1, "policies": {"a": {"collection": {}, "bucket": "a"}}}, {"version": 1, "policies": {"a": None}},
        {"version": 1, "policies": {"a": {"collection": {"x": 1}, "bucket": "a", "nodeSelector": {}}}},
    ],
)  # fmt: skip
def test_of_what_is_not_whole_nothing_is_kept(document: Any):
    assert kept_policies(document, ["a"]) == []
