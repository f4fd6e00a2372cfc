"""One turn: Kubernetes and InfluxDB as the policies say, and the statuses that tell of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

from nodetide_core.errors import StoreError
from nodetide_core.policy.nodes import collected_hash
from nodetide_core.stores.influx.authorizations import TokenVault
from nodetide_operator.cluster import Cluster, ClusterUnavailable
from nodetide_operator.config import OperatorConfig
from nodetide_operator.influx import Influx
from nodetide_operator.judging import Judge, Judged
from nodetide_operator.knowledge import Knowledge, Known
from nodetide_operator.node_counts import count_nodes, fresh_after
from nodetide_operator.outcomes import NodeCounts, Outcome
from nodetide_operator.settings_map import TooLarge, same_content, settings_content, version_of
from nodetide_operator.statuses import notices, status_of
from nodetide_operator.world import Key, Snapshot, World

__all__ = ["Reconciler", "TurnReport"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TurnReport:
    """
    Attributes:
        ready: whether each policy is, by namespace and name.
        problems: what failed, of which no policy alone is to blame.
        missed: whether watches had not told of something that a list has.
    """

    ready: Mapping[Key, bool] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    missed: bool = False

    @property
    def well(self) -> bool:
        return not self.problems


class Reconciler:
    """Belongs to one thread.

    Args:
        clock: Unix seconds.
    """

    def __init__(
        self,
        config: OperatorConfig,
        cluster: Cluster,
        influx: Influx,
        *,
        vault: TokenVault,
        world: World,
        knowledge: Knowledge,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._cluster = cluster
        self._influx = influx
        self._vault = vault
        self._world = world
        self._knowledge = knowledge
        self._clock = clock
        self._judge = Judge(config)

    def turn(self, *, relist: bool) -> TurnReport:
        """
        Args:
            relist: ask the apiserver for everything, rather than trust the watches.

        Raises:
            ClusterUnavailable: it could not be asked; nothing was changed.
        """
        missed = relist and not self._world.relisted(
            self._cluster.policies(self._config.namespaces), self._cluster.nodes()
        )
        world = self._world.snapshot()
        judged = self._judge.judge(world.policies.values())
        outcomes = self._influx.reconcile(judged)
        problems = [*self._tokens(judged, outcomes), *self._settings(judged, world)]
        ready = self._statuses(judged, outcomes, world, problems)
        return TurnReport(ready, tuple(problems), missed)

    def _tokens(self, judged: Mapping[Key, Judged], outcomes: Mapping[Key, Outcome]) -> list[str]:
        # What is not known of a part of the buckets must not take the tokens for the others away.
        if any(outcome.unreachable for outcome in outcomes.values()):
            return []
        streams = [item.stream for item in judged.values() if item.stream is not None and item.good]
        try:
            for done in self._influx.tokens(self._vault, streams, int(self._clock())):
                _log.info("%s", done)
        except (StoreError, ClusterUnavailable) as error:
            return [f"tokens: {error}"]
        return []

    def _settings(self, judged: Mapping[Key, Judged], world: Snapshot) -> list[str]:
        policies = [(item.policy, item.object.spec) for item in judged.values() if item.good and item.policy]
        name = self._config.settings_map
        try:
            wanted = settings_content(policies, world.nodes)
            found = self._cluster.settings(name)
            if not same_content(found, wanted):
                self._cluster.put_settings(name, wanted, exists=found is not None)
                _log.info("node settings written version=%s nodes=%d", version_of(wanted), len(world.nodes))
        except (TooLarge, ClusterUnavailable) as error:
            return [f"node settings: {error}"]
        return []

    def _statuses(
        self, judged: Mapping[Key, Judged], outcomes: Mapping[Key, Outcome], world: Snapshot, problems: list[str]
    ) -> dict[Key, bool]:
        known = self._knowledge.get()
        now = datetime.fromtimestamp(self._clock(), timezone.utc)
        ready = {}
        shared = "; ".join(problems)
        for key, item in judged.items():
            wanted = status_of(
                item,
                outcomes.get(key),
                known.downsampling.get(item.stream.bucket) if item.stream else None,
                self._nodes(item, world, known),
                shared=shared,
                now=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            )
            ready[key] = any(c["type"] == "Ready" and c["status"] == "True" for c in wanted["conditions"])
            if wanted == item.object.status:
                continue
            try:
                if self._cluster.patch_status(item.object, wanted):
                    for notice in notices(item.object.status, wanted):
                        self._cluster.event(item.object, notice, now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
            except ClusterUnavailable as error:
                problems.append(f"status of {'/'.join(key)}: {error}")
        return ready

    def _nodes(self, item: Judged, world: Snapshot, known: Known) -> NodeCounts | None:
        if item.policy is None or item.stream is None or item.stream.bucket not in known.reports:
            return None
        return count_nodes(
            item.policy.node_selector,
            world.nodes,
            known.reports[item.stream.bucket],
            hash=collected_hash(item.policy, item.object.spec),
            since=fresh_after(item.policy.collection.slowest, int(self._clock())),
        )
