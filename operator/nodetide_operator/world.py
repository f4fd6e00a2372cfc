"""What there is in Kubernetes, as far as the operator knows: fed by watches, corrected by lists."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Key", "PolicyObject", "Snapshot", "World", "policy_object"]

#: Namespace and name.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class PolicyObject:
    """A MetricPolicy as the apiserver has it.

    Attributes:
        created: RFC 3339, for the older of two.
        status: as written last, by whomever.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    created: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""

    @property
    def key(self) -> Key:
        return self.namespace, self.name


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    Attributes:
        nodes: labels by name.
    """

    policies: Mapping[Key, PolicyObject]
    nodes: Mapping[str, Mapping[str, str]]


class World:
    """Safe to share between threads.

    Args:
        changed: called after a change that a turn must look at.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._policies: dict[Key, PolicyObject] = {}
        self._nodes: dict[str, Mapping[str, str]] = {}

    def snapshot(self) -> Snapshot:
        with self._lock:
            return Snapshot(dict(self._policies), dict(self._nodes))

    def policy_seen(self, body: Mapping[str, Any], *, deleted: bool = False) -> None:
        found = policy_object(body)
        with self._lock:
            before = self._policies.get(found.key)
            if deleted:
                # The deletion of one that was made anew under the same name since is old news.
                if before is None or before.uid != found.uid:
                    return
                del self._policies[found.key]
            else:
                self._policies[found.key] = found
        # Our own status comes back as a change, too.
        if deleted or before is None or _asked(before) != _asked(found):
            self._changed()

    def node_seen(self, body: Mapping[str, Any], *, deleted: bool = False) -> None:
        metadata = body["metadata"]
        labels = dict(metadata.get("labels") or {})
        with self._lock:
            before = self._nodes.get(metadata["name"])
            if deleted:
                self._nodes.pop(metadata["name"], None)
            else:
                self._nodes[metadata["name"]] = labels
        # Kubelets write their nodes' status all the time.
        if deleted or before != labels:
            self._changed()

    def relisted(self, policies: Iterable[Mapping[str, Any]], nodes: Iterable[Mapping[str, Any]]) -> bool:
        """Take lists for what there is; whether watches had told all of it.

        What a watch brings while a list is under way may be newer, and is put right by the next list.
        """
        listed = {found.key: found for found in map(policy_object, policies)}
        labels = {body["metadata"]["name"]: dict(body["metadata"].get("labels") or {}) for body in nodes}
        with self._lock:
            missed = labels != self._nodes or {key: _asked(found) for key, found in listed.items()} != {
                key: _asked(found) for key, found in self._policies.items()
            }
            self._policies, self._nodes = listed, dict(labels)
        if missed:
            self._changed()
        return not missed


def policy_object(body: Mapping[str, Any]) -> PolicyObject:
    metadata = body["metadata"]
    return PolicyObject(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=int(metadata.get("generation") or 1),
        created=metadata.get("creationTimestamp") or "",
        annotations=dict(metadata.get("annotations") or {}),
        spec=dict(body.get("spec") or {}),
        status=dict(body.get("status") or {}),
        version=metadata.get("resourceVersion") or "",
    )


def _asked(policy: PolicyObject) -> tuple[str, int, Mapping[str, str]]:
    """What of a policy a turn acts upon."""
    return policy.uid, policy.generation, policy.annotations
