"""One turn: Kubernetes and InfluxDB as the policies say, and the statuses that tell of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from nodetide_core.errors import StoreError
from nodetide_core.policy.nodes import kept_policies
from nodetide_core.stores.influx.authorizations import TokenVault
from nodetide_core.stores.influx.query_tokens import ReaderTokens
from nodetide_operator.alert_news import AlertsNews
from nodetide_operator.alerting import Charge
from nodetide_operator.apiserver import ClusterError
from nodetide_operator.checks import Checks
from nodetide_operator.cluster import Cluster
from nodetide_operator.config import OperatorConfig
from nodetide_operator.influx import Influx
from nodetide_operator.judging import Judge, Judged
from nodetide_operator.knowledge import Knowledge, Shared
from nodetide_operator.outcomes import Outcome
from nodetide_operator.settings_map import (
    TooLarge,
    same_content,
    settings_content,
    settings_document,
    version_of,
)
from nodetide_operator.telling import Teller
from nodetide_operator.world import Key, Snapshot, World

__all__ = ["Reconciler", "TurnReport"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TurnReport:
    """
    Attributes:
        ready: whether each policy is, by namespace and name.
        problems: what failed, of which no policy alone is to blame.
        missed: whether watches have not told yet of something that a list before this turn's had shown.
        left: policies that are left for the next turn.
        outdated: statuses that were not written, for the policy is another by now.
        listed: namespaces whose policies could be listed, this turn or the last time.
    """

    ready: Mapping[Key, bool] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    missed: bool = False
    left: int = 0
    outdated: int = 0
    listed: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        return not self.problems and not self.outdated


class Reconciler:
    """Belongs to one thread.

    Args:
        readers: tokens that queries of alerts run with; None makes none.
        checks: keeps the alerts that InfluxDB evaluates; None keeps none.
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
        charge: Shared[Charge],
        alerts: Shared[Mapping[Key, AlertsNews]],
        readers: ReaderTokens | None = None,
        checks: Checks | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._cluster = cluster
        self._influx = influx
        self._readers = readers
        self._checks = checks
        self._vault = vault
        self._world = world
        self._clock = clock
        self._charge = charge
        self._judge = Judge(config)
        self._teller = Teller(cluster, world, knowledge, alerts, clock)
        self._unlisted: Mapping[str, str] = {}
        #: What the ConfigMap was to hold last; before the first time nothing but itself tells.
        self._wanted: Mapping[str, Any] | None = None

    def turn(self, *, relist: bool) -> TurnReport:
        """
        Args:
            relist: ask the apiserver for everything, rather than trust the watches.

        Raises:
            ClusterUnavailable, ClusterRefused: a list failed; nothing was changed.
        """
        missed = relist and not self._relist()
        world = self._world.snapshot()
        judged = self._judge.judge(world.policies.values())

        def known(name: str) -> bool:
            return self._config.namespace_of(name) not in world.unlisted

        outcomes = self._influx.reconcile(judged, known)
        if self._checks is not None:
            outcomes = self._checks.reconcile(judged, outcomes, known)
        left = {key for key, item in judged.items() if item.good and key not in outcomes}
        # A token for each state in between would be one too many.
        shared = [] if left else self._tokens(judged, outcomes)
        shared += self._settings(judged, world)
        unread = self._keep_readers(judged, outcomes)
        self._charge.put(_charge(judged, left, world))
        told = self._teller.tell(
            {key: item for key, item in judged.items() if key not in left}, outcomes, world.nodes, "; ".join(shared)
        )
        problems = [*self._unlisted.values(), *shared, unread, self._influx.problem, *told.problems]
        problems += [self._checks.problem] if self._checks is not None else []
        problems += sorted({outcome.unreachable for outcome in outcomes.values()})
        ready = dict.fromkeys(left, False) | told.ready
        listed = tuple(name for name in self._config.namespaces if name not in self._unlisted)
        return TurnReport(ready, tuple(filter(None, problems)), missed, len(left), told.outdated, listed)

    def _relist(self) -> bool:
        self._world.listing()
        listed = self._cluster.policies(self._config.namespaces)
        told = self._world.relisted(listed.policies, self._cluster.nodes(), listed.unlisted)
        self._unlisted = listed.unlisted
        return told

    def _tokens(self, judged: Mapping[Key, Judged], outcomes: Mapping[Key, Outcome]) -> list[str]:
        # What is not known of a part of the buckets must not take the tokens for the others away.
        if any(outcome.unreachable for outcome in outcomes.values()):
            return []
        streams = [item.stream for item in judged.values() if item.stream is not None and item.good]
        try:
            for done in self._influx.tokens(self._vault, streams, int(self._clock())):
                _log.info("%s", done)
        except (StoreError, ClusterError) as error:
            return [f"tokens: {error}"]
        return []

    def _keep_readers(self, judged: Mapping[Key, Judged], outcomes: Mapping[Key, Outcome]) -> str:
        """Before the alerts are evaluated that need them; why not, where it fails, which those alerts tell of, too."""
        if self._readers is None or (outcomes and all(outcome.unreachable for outcome in outcomes.values())):
            return ""
        asking = [item for item in judged.values() if item.good and item.policy and item.policy.asks_flux]
        # Where one token is given for all, those that were made before are ended.
        asking = asking if self._config.flux_token is None else []
        streams = [item.stream for item in asking if item.stream is not None]
        try:
            for done in self._influx.readers(self._readers, streams, int(self._clock())):
                _log.info("%s", done)
        except StoreError as error:
            return f"tokens for queries of alerts: {error}"
        return ""

    def _settings(self, judged: Mapping[Key, Judged], world: Snapshot) -> list[str]:
        policies = [(item.policy, item.object.spec) for item in judged.values() if item.good and item.policy]
        name = self._config.settings_map
        try:
            found = self._cluster.settings(name)
            before = settings_document(found if self._wanted is None else self._wanted)
            policies += kept_policies(before, self._kept(judged, world, before))
            wanted = self._wanted = settings_content(policies, world.nodes)
            if not same_content(found, wanted):
                self._cluster.put_settings(name, wanted, exists=found is not None)
                _log.info("node settings written version=%s nodes=%d", version_of(wanted), len(world.nodes))
        except (TooLarge, ClusterError) as error:
            return [f"node settings: {error}"]
        return []

    def _kept(self, judged: Mapping[Key, Judged], world: Snapshot, before: Any) -> Iterator[str]:
        """Names of policies of which nothing better is known than what nodes do: they are wrong for now, or their
        namespace cannot be listed. That one is to be suspended is understood all the same."""
        for item in judged.values():
            if not item.good and item.object.spec.get("suspend") is not True:
                yield item.stream_name
        here = {item.stream_name for item in judged.values()}
        if world.unlisted and before is not None:
            held = before.get("policies", {}) if isinstance(before, dict) else {}
            yield from (name for name in held if name not in here and self._config.namespace_of(name) in world.unlisted)


def _charge(judged: Mapping[Key, Judged], left: Set[Key], world: Snapshot) -> Charge:
    """Those that are left for the next turn go on as they were, too."""
    policies = {key: item.policy for key, item in judged.items() if item.good and item.policy and key not in left}
    return Charge(policies, frozenset(judged.keys() - policies.keys()), world.nodes)
