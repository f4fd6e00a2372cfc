"""What NetworkPolicies come to: which pod may begin to talk to which address, at which port."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
#: By direction: the field of a rule that names the other end.
PEERS = {"ingress": "from", "egress": "to"}


@dataclass(frozen=True)
class Pod:
    """One with an address of its own."""

    name: str
    namespace: str
    address: str
    labels: Mapping[str, str]

    @property
    def part(self) -> str:
        """The component it is of, or its name."""
        return self.labels.get("app.kubernetes.io/component", self.name)


@dataclass(frozen=True)
class Opening:
    """A rule of a policy, for one pod.

    Attributes:
        rule: its policy, its direction and its place there.
        peers: the addresses at the other end; None: every one.
        ports: protocols with ports of the end that is talked to; None: every one.
    """

    rule: str
    peers: frozenset[str] | None
    ports: frozenset[tuple[str, int]] | None

    def lets(self, peer: str, protocol: str, port: int) -> bool:
        return (self.peers is None or peer in self.peers) and (self.ports is None or (protocol, port) in self.ports)


@dataclass(frozen=True)
class Isolation:
    """A pod that a policy selects, in a direction: only what an opening lets pass may."""

    pod: Pod
    direction: str
    openings: tuple[Opening, ...]


def isolations(policies: Iterable[Object], pods: Iterable[Pod], namespaces: Mapping[str, Object]) -> list[Isolation]:
    """Of all pods that are isolated.

    Args:
        namespaces: their labels, by name.

    Raises:
        ValueError: a policy has what is not understood here: other selectors than `matchLabels`, blocks of addresses.
    """
    all_pods, found = list(pods), []
    all_policies = list(policies)
    for pod in all_pods:
        for direction in PEERS:
            selecting = [
                policy
                for policy in all_policies
                if policy["metadata"]["namespace"] == pod.namespace
                and direction.capitalize() in policy["spec"]["policyTypes"]
                and _selects(policy["spec"]["podSelector"], pod.labels)
            ]
            if selecting:
                openings = (each for policy in selecting for each in _openings(policy, direction, all_pods, namespaces))
                found.append(Isolation(pod, direction, tuple(openings)))
    return found


def allowed(found: Iterable[Isolation], source: str, target: str, port: int, protocol: str = "TCP") -> bool:
    """Whether one address may begin to talk to another."""
    ends = {("egress", source): target, ("ingress", target): source}
    return all(
        any(
            opening.lets(ends[isolation.direction, isolation.pod.address], protocol, port)
            for opening in isolation.openings
        )
        for isolation in found
        if (isolation.direction, isolation.pod.address) in ends
    )


def _openings(
    policy: Object, direction: str, pods: Iterable[Pod], namespaces: Mapping[str, Object]
) -> Iterator[Opening]:
    for place, rule in enumerate(policy["spec"].get(direction, [])):
        name = f"{policy['metadata']['name']}/{direction}/{place}"
        ends, ports = rule.get(PEERS[direction]), rule.get("ports")
        peers = frozenset(
            pod.address
            for end in ends or ()
            for pod in pods
            if _is_meant(end, pod, policy["metadata"]["namespace"], namespaces)
        )
        numbers = frozenset((port.get("protocol", "TCP"), int(port["port"])) for port in ports or ())
        yield Opening(name, peers if ends else None, numbers if ports else None)


def _is_meant(end: Object, pod: Pod, namespace: str, namespaces: Mapping[str, Object]) -> bool:
    if not end.keys() <= {"podSelector", "namespaceSelector"}:
        raise ValueError(f"not understood: {end}")
    if "namespaceSelector" in end:
        there = _selects(end["namespaceSelector"], namespaces[pod.namespace])
    else:
        there = pod.namespace == namespace
    return there and _selects(end.get("podSelector", {}), pod.labels)


def _selects(selector: Object, labels: Object) -> bool:
    if not selector.keys() <= {"matchLabels"}:
        raise ValueError(f"not understood: {selector}")
    return dict(selector.get("matchLabels", {})).items() <= dict(labels).items()
