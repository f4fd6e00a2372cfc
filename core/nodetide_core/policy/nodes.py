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
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from nodetide_core.errors import PolicyError, Problem
from nodetide_core.policy.parse import parse_policy
from nodetide_core.policy.schema import API_VERSION, KIND
from nodetide_core.policy.spec import NodeSelector, Policy

__all__ = ["collected_hash", "kept_policies", "policies_of_node", "render_nodes"]

_VERSION = 1
Document = Mapping[str, Any]


class _Share(NamedTuple):
    """Names of policies, and of the node labels that they copy."""

    names: Sequence[str]
    labels: Collection[str]


def render_nodes(policies: Iterable[tuple[Policy, Document]], nodes: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """The document for all nodes.

    Args:
        policies: each with its spec as the user wrote it; names are unique. Suspended ones are left out.
        nodes: labels by node.
    """
    active = sorted(((policy, spec) for policy, spec in policies if not policy.suspend), key=lambda pair: pair[0].name)
    # Where labels become tags, a node must wait until they are known, or its series would change.
    everyone = [p.name for p, _ in active if p.node_selector == NodeSelector() and not p.collection.node_labels]
    # Many policies have the same selector, and many nodes are matched by the same ones.
    keyed = [(policy, repr(policy.node_selector)) for policy, _ in active]
    selectors = {key: policy.node_selector for policy, key in keyed}
    shares: dict[frozenset[str], _Share] = {}
    groups: dict[tuple[frozenset[str], frozenset[tuple[str, str]]], dict[str, Any]] = {}
    for node, labels in sorted(nodes.items()):
        chosen = frozenset(key for key, selector in selectors.items() if selector.matches(labels))
        if chosen not in shares:
            shares[chosen] = _share(policy for policy, key in keyed if key in chosen)
        share = shares[chosen]
        if share.names == everyone:
            continue
        copied = {name: labels[name] for name in share.labels if name in labels}
        group = groups.setdefault(
            (chosen, frozenset(copied.items())), {"policies": share.names, "labels": copied, "nodes": []}
        )
        group["nodes"].append(node)
    return {
        "version": _VERSION,
        "policies": {policy.name: _shipped(policy, spec) for policy, spec in active},
        "everyone": everyone,
        "groups": sorted(groups.values(), key=lambda group: json.dumps([group["policies"], group["labels"]])),
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


def _share(policies: Iterable[Policy]) -> _Share:
    mine = list(policies)
    # In one order, whichever policy comes first.
    labels = sorted({name for policy in mine for name in policy.collection.node_labels})
    return _Share([policy.name for policy in mine], labels)


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
