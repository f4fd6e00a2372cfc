"""Statuses and Events: what is true of each policy, told where a person looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from nodetide_operator.alert_news import AlertsNews
from nodetide_operator.apiserver import ClusterError, ClusterRefused
from nodetide_operator.cluster import Cluster
from nodetide_operator.judging import Judged
from nodetide_operator.knowledge import Knowledge, Known, Shared
from nodetide_operator.node_counts import Matches, count_nodes
from nodetide_operator.outcomes import NodeCounts, Outcome
from nodetide_operator.statuses import notices, status_of
from nodetide_operator.world import Key, World

__all__ = ["Teller", "Told"]


@dataclass(slots=True)
class Told:
    """
    Attributes:
        ready: whether each policy is, by namespace and name.
        problems: why statuses could not be written.
        outdated: statuses that were not written, for the policy is another by now.
    """

    ready: dict[Key, bool] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    outdated: int = 0


class Teller:
    """Belongs to one thread.

    Args:
        clock: Unix seconds.
    """

    def __init__(
        self,
        cluster: Cluster,
        world: World,
        knowledge: Knowledge,
        alerts: Shared[Mapping[Key, AlertsNews]],
        clock: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._world = world
        self._knowledge = knowledge
        self._alerts = alerts
        self._clock = clock

    def tell(
        self,
        judged: Mapping[Key, Judged],
        outcomes: Mapping[Key, Outcome],
        nodes: Mapping[str, Mapping[str, str]],
        shared: str,
    ) -> Told:
        """Write the statuses that have changed.

        Args:
            nodes: labels by name.
            shared: what failed that all policies share; empty where nothing did.
        """
        known, alerts = self._knowledge.get(), self._alerts.get()
        matches = Matches(nodes)
        now = datetime.fromtimestamp(self._clock(), timezone.utc)
        told = Told()
        away = False
        for key, item in judged.items():
            status = status_of(
                item,
                outcomes.get(key),
                known.downsampling.get(item.stream.bucket) if item.stream else None,
                _nodes(item, matches, known),
                alerts.get(key),
                shared=shared,
                now=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            )
            told.ready[key] = any(c["type"] == "Ready" and c["status"] == "True" for c in status["conditions"])
            if away or status == item.object.status:
                continue
            try:
                told.outdated += not self._write(item, status, now)
            except ClusterError as error:
                told.problems.append(f"status of {'/'.join(key)}: {error}")
                # Where the apiserver is away, the others need not wait for it, too.
                away = not isinstance(error, ClusterRefused)
        return told

    def _write(self, item: Judged, status: Mapping[str, Any], now: datetime) -> bool:
        """Whether the policy is still the one that the status is about."""
        written = self._cluster.patch_status(item.object, status)
        if written is None:
            return False
        # Until a watch tells of it, the next turn would write it again.
        self._world.policy_written(written)
        for notice in notices(item.object.status, status):
            self._cluster.event(item.object, notice, now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
        return True


def _nodes(item: Judged, matches: Matches, known: Known) -> NodeCounts | None:
    if item.policy is None or item.stream is None or item.stream.bucket not in known.reports:
        return None
    return count_nodes(
        matches.of(item.policy.node_selector),
        known.reports[item.stream.bucket],
        hash=item.hash,
        interval=item.policy.collection.slowest,
    )
