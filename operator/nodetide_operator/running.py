"""The operator as a whole: a watch, a loop that reconciles, one that rolls up, and a server for probes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from nodetide_core.stores.influx.caller import connect as connect_influx
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.store import InfluxStore
from nodetide_operator.cluster import Cluster, ClusterUnavailable, connect
from nodetide_operator.config import OperatorConfig
from nodetide_operator.handlers import Watch
from nodetide_operator.influx import Influx
from nodetide_operator.knowledge import Knowledge
from nodetide_operator.loops import Loop
from nodetide_operator.metrics import Metrics
from nodetide_operator.reconciling import Reconciler
from nodetide_operator.rollups import Rollups
from nodetide_operator.serving import Server
from nodetide_operator.vault import SecretVault
from nodetide_operator.world import Key, World

__all__ = ["Operator"]

_log = logging.getLogger(__name__)

#: Lists, one after the other, that all had something no watch had told of: then watching has stalled.
_MISSED = 3
#: Seconds that a loop may take to end.
_END = 10.0


class Operator:
    """
    Raises:
        ClusterUnavailable: there is no way to reach a cluster.
        ListenError: the address for probes is taken.
    """

    def __init__(self, config: OperatorConfig) -> None:
        self._config = config
        self._metrics = Metrics()
        self._reconcile = Loop("reconcile", self._reconcile_turn, interval=config.resync, settle=config.settle)
        self._roll = Loop("rollup", self._rollup_turn, interval=config.rollup_interval)
        self._knowledge = Knowledge(self._reconcile.wake)
        self._world = World(self._reconcile.wake)
        self._caller = connect_influx(config.influx, config.influx.timeout)
        self._store = InfluxStore(config.influx, owner=config.owner)
        cluster = Cluster(connect(), config.namespace)
        self._reconciler = Reconciler(
            config,
            cluster,
            Influx(Control(self._caller, config.influx.org), config.owner, config.watches),
            vault=SecretVault(cluster, config.token_prefix),
            world=self._world,
            knowledge=self._knowledge,
        )
        self._rollups = Rollups(self._store, self._knowledge)
        self._watch = Watch(self._world, config.namespaces)
        self._known: set[Key] = set()
        self._missed = 0
        self._ready = False
        self._told = ""
        self._server = Server(
            config.listen, {"/liveness": self._stalled, "/readiness": self._unready}, self._metrics_text
        )

    @property
    def port(self) -> int:
        """Where probes are answered."""
        return self._server.port

    def run(self, stopping: threading.Event) -> None:
        """Until ``stopping`` is set."""
        self._server.start()
        self._watch.start()
        self._reconcile.start()
        self._roll.start()
        try:
            stopping.wait()
        finally:
            # What is under way in InfluxDB may take minutes; given up, it is done at the next start.
            self._store.close()
            self._caller.end()
            self._watch.stop(_END)
            for loop in (self._reconcile, self._roll):
                loop.stop(_END)
            self._server.stop()

    def _reconcile_turn(self, by_time: bool) -> bool:
        began = time.monotonic()
        # The first turn, and those after a failure, trust nothing.
        relist = by_time or not self._ready
        try:
            report = self._reconciler.turn(relist=relist)
        except ClusterUnavailable as error:
            self._tell(str(error))
            self._metrics.turned("reconcile", "failed", time.monotonic() - began)
            time.sleep(1)
            return True
        self._tell("; ".join(report.problems))
        self._ready = True
        if relist:
            self._missed = self._missed + 1 if report.missed else 0
        if set(report.ready) != self._known:
            # What is new wants its status soon.
            self._known = set(report.ready)
            self._roll.wake()
        self._metrics.world(report.ready, len(self._world.snapshot().nodes), missed=report.missed)
        self._metrics.turned("reconcile", "ok" if report.well else "failed", time.monotonic() - began)
        return False

    def _rollup_turn(self, _: bool) -> bool:
        began, before = time.monotonic(), self._rollups.windows
        again = self._rollups.turn()
        self._metrics.rolled(self._rollups.windows - before, self._knowledge.get().downsampling)
        self._metrics.turned("rollup", "ok", time.monotonic() - began)
        return again

    def _tell(self, problem: str) -> None:
        if problem and problem != self._told:
            _log.error("%s", problem)
        elif self._told and not problem:
            _log.info("all works again")
        self._told = problem

    def _stalled(self) -> list[str]:
        limit = self._config.stalled_after
        loops: dict[str, Callable[[], float]] = {"reconciling": lambda: self._reconcile.idle}
        wrong = [f"{name} has not come round for {idle():.0f} s" for name, idle in loops.items() if idle() > limit]
        if self._missed >= _MISSED:
            wrong.append(f"watches have stalled: {self._missed} lists in a row had what they had not told of")
        if self._watch.failure:
            wrong.append(self._watch.failure)
        return wrong

    def _unready(self) -> list[str]:
        return [] if self._ready else ["no turn has been finished yet"]

    def _metrics_text(self) -> bytes:
        self._metrics.idle("reconcile", self._reconcile.idle)
        self._metrics.idle("rollup", self._roll.idle)
        return self._metrics.text()
