"""What the manifests allow the operator, for a namespace of a test; and the same without one permission."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

__all__ = [
    "ACCOUNT",
    "ALL_NAMESPACES",
    "OWN_NAMESPACE",
    "POLICIES",
    "Permission",
    "for_namespace",
    "permissions",
    "without",
]

_FOLDER = Path(__file__).resolve().parents[3] / "manifests" / "operator"
OWN_NAMESPACE = _FOLDER / "rbac.yaml"
ALL_NAMESPACES = _FOLDER / "rbac-all-namespaces.yaml"
ACCOUNT = "nodetide-operator"
#: Where the manifests put the operator.
_NAMESPACE = "nodetide"
#: What concerns the policies of one namespace.
POLICIES = "nodetide-operator-policies"
Documents = list[dict[str, Any]]


class Permission(NamedTuple):
    """One verb on one resource; `name` is empty where the rule names no object."""

    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f" {self.name}" if self.name else "")


def for_namespace(namespace: str, *files: Path, watched: Sequence[str] = ()) -> Documents:
    """The manifests with the operator in another namespace, and cluster-wide names that tests don't share.

    Args:
        watched: further namespaces whose policies are reconciled.
    """
    found = []
    for file in files or (OWN_NAMESPACE,):
        for document in yaml.safe_load_all(file.read_text()):
            found.append(_moved(document, namespace))
            if document["metadata"].get("namespace") and document["metadata"]["name"] == POLICIES:
                for other in watched:
                    again = copy.deepcopy(found[-1])
                    again["metadata"]["namespace"] = other
                    found.append(again)
    return found


def permissions(*files: Path) -> list[Permission]:
    """Every single permission that the manifests give."""
    return sorted({permission for document in for_namespace("any", *files) for permission in _given(document)})


def without(documents: Documents, taken: Permission) -> Documents:
    """The same but for one permission, wherever it is given."""
    found = copy.deepcopy(documents)
    for document in found:
        if "rules" in document:
            document["rules"] = [
                _rule(rule, permission) for rule in document["rules"] for permission in _of(rule) if permission != taken
            ]
    return found


def _moved(document: dict[str, Any], namespace: str) -> dict[str, Any]:
    moved = copy.deepcopy(document)
    for place in (moved["metadata"], *moved.get("subjects", ())):
        if place.get("namespace") == _NAMESPACE:
            place["namespace"] = namespace
    if moved["kind"].startswith("Cluster"):
        moved["metadata"]["name"] += f"-{namespace}"
    if moved.get("roleRef", {}).get("kind") == "ClusterRole":
        moved["roleRef"]["name"] += f"-{namespace}"
    return moved


def _given(document: dict[str, Any]) -> Iterator[Permission]:
    for rule in document.get("rules", ()):
        yield from _of(rule)


def _of(rule: dict[str, Any]) -> Iterator[Permission]:
    for resource in rule["resources"]:
        for verb in rule["verbs"]:
            for name in rule.get("resourceNames", [""]):
                yield Permission(resource, verb, name)


def _rule(rule: dict[str, Any], permission: Permission) -> dict[str, Any]:
    only = {"apiGroups": rule["apiGroups"], "resources": [permission.resource], "verbs": [permission.verb]}
    return {**only, "resourceNames": [permission.name]} if permission.name else only
