"""What each node is to collect: rendered by the operator, read by the collector of the node.  Pure.

Nodes have no access to Kubernetes, so the operator evaluates selectors and node labels for them and
writes one document for all; a node finds itself in it by its name.  Nodes that get the same stand in
one group, and nodes that get what every node gets are not named at all: so the document stays small,
and a new node begins before the operator has heard of it.

    {"version": 1,
     "policies": {"NAME": {"collection": {...}, "bucket": "...", "nodeSelector": {...}}},
     "everyone": ["NAME", ...],
     "groups": [{"policies": ["NAME", ...], "labels": {"LABEL": "..."}, "nodes": ["NODE", ...]}]}

Selectors stand there for the operator alone: so it can go on with what a policy said before it turned wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nodetide_core.errors import PolicyError, Problem
from nodetide_core.policy.parse import parse_policy
from nodetide_core.policy.schema import API_VERSION, KIND
from nodetide_core.policy.spec import NodeSelector, Policy

__all__ = ["collected_hash", "kept_policies", "policies_of_node", "render_nodes"]

_VERSION = 1
Document = Mapping[str, Any]


def render_nodes(policies: Iterable[tuple[Policy, Document]], nodes: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """The document for all nodes.

    Args:
        policies: each with its spec as the user wrote it; names are unique. Suspended ones are left out.
        nodes: labels by node.
    """
    active = sorted(((policy, spec) for policy, spec in policies if not policy.suspend), key=lambda pair: pair[0].name)
    # Where labels become tags, a node must wait until they are known, or its series would change.
    everyone = [p.name for p, _ in active if p.node_selector == NodeSelector() and not p.collection.node_labels]
    groups: dict[str, dict[str, Any]] = {}
    # Many policies have the same selector, and there are many nodes.
    selectors = {repr(policy.node_selector): policy.node_selector for policy, _ in active}
    keyed = [(policy, repr(policy.node_selector)) for policy, _ in active]
    for node, labels in sorted(nodes.items()):
        chosen = {key for key, selector in selectors.items() if selector.matches(labels)}
        mine = [policy for policy, key in keyed if key in chosen]
        copied = {name: labels[name] for policy in mine for name in policy.collection.node_labels if name in labels}
        names = [policy.name for policy in mine]
        if names == everyone:
            continue
        key = json.dumps([names, copied], sort_keys=True)
        group = groups.setdefault(key, {"policies": names, "labels": copied, "nodes": []})
        group["nodes"].append(node)
    return {
        "version": _VERSION,
        "policies": {policy.name: _shipped(policy, spec) for policy, spec in active},
        "everyone": everyone,
        "groups": [groups[key] for key in sorted(groups)],
    }


def policies_of_node(document: Any, node: str) -> list[Policy]:
    """The policies of one node, with node labels made constant ones; none where it is to collect nothing.

    Raises:
        PolicyError: the document is of another version, or not one.
    """
    if not isinstance(document, dict) or document.get("version") != _VERSION:
        told = document.get("version") if isinstance(document, dict) else type(document).__name__
        raise PolicyError([Problem("version", f"must be {_VERSION}, not {told!r}: collector and operator differ")])
    try:
        group = next((item for item in document["groups"] if node in item["nodes"]), None)
        names: Sequence[str] = document["everyone"] if group is None else group["policies"]
        labels: Mapping[str, str] = {} if group is None else group["labels"]
        return [_resolved(_parse(name, document["policies"][name]), labels) for name in names]
    except (LookupError, TypeError, AttributeError) as error:
        raise PolicyError([Problem("", f"is not a document of node settings ({error!r})")]) from error


def kept_policies(document: Any, names: Iterable[str]) -> list[tuple[Policy, Document]]:
    """What a document holds of these policies, as `render_nodes` takes them; those of which it does not hold all
    are left out."""
    found: list[tuple[Policy, Document]] = []
    for name in names:
        try:
            shipped = document["policies"][name] if document["version"] == _VERSION else {}
            spec = {part: shipped[part] for part in ("collection", "nodeSelector")}
            spec["storage"] = {"bucket": shipped["bucket"]}
            found.append((_parse_spec(name, spec), spec))
        except (LookupError, TypeError, PolicyError):
            continue
    return found


def collected_hash(policy: Policy, spec: Document) -> str:
    """The hash that collectors of this policy report: of what nodes act upon, and nothing else."""
    return _parse(policy.name, _shipped(policy, spec)).hash


def _shipped(policy: Policy, spec: Document) -> dict[str, Any]:
    selector = spec.get("nodeSelector") or {}
    return {"collection": spec.get("collection") or {}, "bucket": policy.storage.bucket, "nodeSelector": selector}


def _parse(name: str, shipped: Document) -> Policy:
    return _parse_spec(name, {"collection": shipped["collection"], "storage": {"bucket": shipped["bucket"]}})


def _parse_spec(name: str, spec: Document) -> Policy:
    # The name may hold a namespace, which that of a document may not.
    metadata = {"name": name.rpartition("/")[2]}
    policy = parse_policy({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec})
    return replace(policy, name=name)


def _resolved(policy: Policy, labels: Mapping[str, str]) -> Policy:
    own = {name: labels[name] for name in policy.collection.node_labels if name in labels}
    collection = replace(policy.collection, labels={**policy.collection.labels, **own}, node_labels=())
    return replace(policy, collection=collection)
