"""What there is in Kubernetes, as far as the operator knows: fed by watches, corrected by lists."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nodetide_operator.holding import Holding

__all__ = ["Key", "NodeObject", "PolicyObject", "Snapshot", "World", "policy_object"]

#: Namespace and name.
Key = tuple[str, str]

#: Other annotations are other programs' matter, and may be large.
_OURS = "nodetide.io/"


@dataclass(frozen=True, slots=True)
class PolicyObject:
    """A MetricPolicy as the apiserver has it.

    Attributes:
        created: RFC 3339, for the older of two.
        annotations: those of Nodetide.
        status: as written last, by whomever.
        version: of the object as a whole; changes with everything.
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

    @property
    def asked(self) -> tuple[str, int, Mapping[str, str]]:
        """What a turn acts upon. Our own status comes back as a change, too."""
        return self.uid, self.generation, self.annotations


@dataclass(frozen=True, slots=True)
class NodeObject:
    """A node as the apiserver has it."""

    name: str
    uid: str
    labels: Mapping[str, str]
    version: str = ""

    @property
    def key(self) -> str:
        return self.name

    @property
    def asked(self) -> Mapping[str, str]:
        """What a turn acts upon. Kubelets write their nodes' status all the time."""
        return self.labels


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    Attributes:
        nodes: labels by name.
        unlisted: namespaces of which not all policies may be known.
    """

    policies: Mapping[Key, PolicyObject]
    nodes: Mapping[str, Mapping[str, str]]
    unlisted: frozenset[str] = frozenset()


class World:
    """Safe to share between threads.

    Args:
        changed: called after a change that a turn must look at.
    """

    def __init__(
        self, changed: Callable[[], None] = lambda: None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._changed = changed
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._policies: Holding[PolicyObject] = Holding()
        self._nodes: Holding[NodeObject] = Holding()
        self._unlisted: frozenset[str] = frozenset()
        self._overdue = 0.0

    @property
    def overdue(self) -> float:
        """Seconds for which, at the last lists, watches had owed something that lists before had shown."""
        return self._overdue

    def snapshot(self) -> Snapshot:
        with self._lock:
            nodes = {name: node.labels for name, node in self._nodes.things.items()}
            return Snapshot(dict(self._policies.things), nodes, self._unlisted)

    def policy_seen(self, body: Mapping[str, Any], *, deleted: bool = False) -> None:
        with self._lock:
            changed = self._policies.seen(policy_object(body), deleted=deleted)
        if changed:
            self._changed()

    def policy_written(self, body: Mapping[str, Any]) -> None:
        """What the apiserver has answered to a new status, before a watch tells of it."""
        with self._lock:
            self._policies.written(policy_object(body))

    def node_seen(self, body: Mapping[str, Any], *, deleted: bool = False) -> None:
        with self._lock:
            changed = self._nodes.seen(_node_object(body), deleted=deleted)
        if changed:
            self._changed()

    def listing(self) -> None:
        """Lists begin now: what watches bring until `relisted` is newer than they are."""
        with self._lock:
            self._policies.listing()
            self._nodes.listing()

    def relisted(
        self,
        policies: Iterable[Mapping[str, Any]],
        nodes: Iterable[Mapping[str, Any]],
        unlisted: Collection[str] = (),
    ) -> bool:
        """Take lists for what there is; whether watches have told, since, of all that lists before had shown.

        Args:
            unlisted: namespaces whose policies are not in the list; those known stay.
        """
        found, labelled = list(map(policy_object, policies)), list(map(_node_object, nodes))
        now = self._monotonic()
        with self._lock:
            self._unlisted = frozenset(unlisted)
            changed = self._policies.listed(found, lambda policy: policy.namespace in unlisted, now)
            changed = self._nodes.listed(labelled, lambda _: False, now) or changed
            self._overdue = max(self._policies.overdue(now), self._nodes.overdue(now))
        if changed:
            self._changed()
        return self._overdue <= 0


def policy_object(body: Mapping[str, Any]) -> PolicyObject:
    metadata = body["metadata"]
    annotations = metadata.get("annotations") or {}
    return PolicyObject(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=int(metadata.get("generation") or 1),
        created=metadata.get("creationTimestamp") or "",
        annotations={name: value for name, value in annotations.items() if name.startswith(_OURS)},
        spec=dict(body.get("spec") or {}),
        status=dict(body.get("status") or {}),
        version=metadata.get("resourceVersion") or "",
    )


def _node_object(body: Mapping[str, Any]) -> NodeObject:
    metadata = body["metadata"]
    labels = dict(metadata.get("labels") or {})
    return NodeObject(metadata["name"], metadata.get("uid") or "", labels, metadata.get("resourceVersion") or "")
