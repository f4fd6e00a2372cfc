"""All streams of this node, fed from one pass of the probes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from nodetide_collector.filters import union
from nodetide_collector.probe import Registration, Request
from nodetide_collector.stream import SELF, Stream
from nodetide_core.policy import Policy

__all__ = ["Node", "Streams"]


class Node:
    """Who we are: what every point says of its origin.

    Args:
        host: the node's name.
        cluster: left out of the tags where empty.
        labels: the node's labels, or None where they are not known; then every policy applies.
    """

    def __init__(self, host: str, cluster: str = "", labels: Mapping[str, str] | None = None) -> None:
        self.host = host
        self.cluster = cluster
        self.labels = labels

    def applies(self, policy: Policy) -> bool:
        return not policy.suspend and (self.labels is None or policy.node_selector.matches(self.labels))

    def tags(self, policy: Policy) -> dict[str, str]:
        """Constant tags of a policy's points; who we are wins over labels of the same name."""
        labels = self.labels or {}
        copied = {name: labels[name] for name in policy.collection.node_labels if name in labels}
        return {**policy.collection.labels, **copied, "cluster": self.cluster, "host": self.host}


class Streams:
    """Belongs to one thread."""

    def __init__(self, node: Node, registrations: Mapping[str, Registration]) -> None:
        self._node = node
        self._registrations = registrations
        self._streams: dict[str, Stream] = {}
        self._requests: dict[tuple[str, ...], Request] = {}
        self.intervals: frozenset[int] = frozenset()

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._streams.values())

    def apply(self, policies: Sequence[Policy]) -> None:
        """Run these policies from now on, those that apply to this node; each goes on where its
        former version stands."""
        streams: dict[str, Stream] = {}
        for policy in policies:
            if not self._node.applies(policy):
                continue
            stream = Stream(policy, self._node.tags(policy), self._registrations)
            before = self._streams.get(policy.name)
            if before is not None:
                stream.inherit(before)
            streams[policy.name] = stream
        self._streams = streams
        self._requests.clear()
        self.intervals = frozenset(interval for stream in self for interval in stream.intervals)

    @property
    def is_new(self) -> bool:
        """Whether something was never asked for yet."""
        return any(stream.is_new for stream in self)

    def ask(
        self, second: int, busy: Collection[str], *, everything: bool = False
    ) -> tuple[dict[str, Request], set[str]]:
        """What to read for this second, for all streams together.

        Args:
            busy: groups that cannot be asked now; they stay due.
            everything: ask also for what is not due.

        Returns:
            Requests by group, and the busy groups that would have been asked.
        """
        wanting: dict[str, list[Stream]] = {}
        refused: set[str] = set()
        for stream in self:
            for group in stream.groups if everything else stream.due(second):
                if group in busy:
                    refused.add(group)
                    continue
                stream.ask(group, second)
                if group != SELF:
                    wanting.setdefault(group, []).append(stream)
        return {group: self._request(group, streams) for group, streams in wanting.items()}, refused

    def forget(self, now: float) -> None:
        for stream in self:
            stream.forget(now)

    def _request(self, group: str, streams: Sequence[Stream]) -> Request:
        key = (group, *(stream.policy.name for stream in streams))
        found = self._requests.get(key)
        if found is None:
            found = self._requests[key] = union([stream.filter(group).request for stream in streams])
        return found
