"""The operator as a whole: a watch, loops that reconcile, roll up and evaluate alerts, and a server for probes."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Mapping

from nodetide_core.stores.influx.caller import connect as connect_influx
from nodetide_core.stores.influx.checks.keeping import ChecksKeeper
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.query_tokens import GivenToken, ReaderTokens
from nodetide_core.stores.influx.store import InfluxStore
from nodetide_operator.alert_news import AlertsNews
from nodetide_operator.alerting import Alerting, Charge
from nodetide_operator.apiserver import ClusterError, connect
from nodetide_operator.checks import Checks
from nodetide_operator.cluster import Cluster
from nodetide_operator.config import OperatorConfig
from nodetide_operator.handlers import Watch
from nodetide_operator.influx import Influx
from nodetide_operator.knowledge import Knowledge, Shared
from nodetide_operator.loops import Loop
from nodetide_operator.metrics import Metrics
from nodetide_operator.receiver_secrets import ReceiverSecrets
from nodetide_operator.reconciling import Reconciler
from nodetide_operator.rollups import Rollups
from nodetide_operator.serving import Server
from nodetide_operator.vault import SecretVault
from nodetide_operator.world import Key, World

__all__ = ["Operator"]

_log = logging.getLogger(__name__)

#: Seconds that all loops together may take to end.
_END = 10.0
#: Seconds that receivers of alerts may take to end.
_PARTING = 3.0
#: Seconds within which a watch has begun, mostly.
_BEGUN = 2.0
#: Seconds after which what failed is tried again at the latest.
_LONGEST = 30.0


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
        self._alert = Loop("alerts", lambda _: self._alerts_turn(), interval=_LONGEST)
        self._knowledge = Knowledge(self._reconcile.wake)
        charge = Shared(Charge(), self._alert.wake)
        news: Shared[Mapping[Key, AlertsNews]] = Shared({}, self._reconcile.wake)
        self._world = World(self._reconcile.wake)
        self._caller = connect_influx(config.influx, config.influx.timeout)
        readers = ReaderTokens(self._reconcile.wake)
        tokens = readers if config.flux_token is None else GivenToken(config.flux_token)
        self._store = InfluxStore(config.influx, owner=config.owner, flux_tokens=tokens)
        cluster = Cluster(connect(), config.namespace)
        secrets = ReceiverSecrets(cluster)
        control = Control(self._caller, config.influx.org)
        self._reconciler = Reconciler(
            config,
            cluster,
            Influx(control, config.owner, config.watches),
            vault=SecretVault(cluster, config.token_prefix),
            world=self._world,
            knowledge=self._knowledge,
            charge=charge,
            alerts=news,
            readers=readers,
            checks=Checks(ChecksKeeper(self._caller, control.organization), config.owner, config.watches, secrets),
        )
        self._alerting = Alerting(self._store, secrets, charge, news, cluster=config.cluster)
        self._rollups = Rollups(self._store, self._knowledge)
        self._watch = Watch(self._world, self._distrust)
        self._known: set[Key] = set()
        self._ready = False
        self._trusting = False
        self._doubted_at = math.inf
        self._failed = 0
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
        self._reconcile.start()
        self._roll.start()
        self._alert.start()
        self._server.start()
        try:
            stopping.wait()
        finally:
            for loop in (self._reconcile, self._roll, self._alert):
                loop.end()
            # First, so that what receivers have taken is remembered.
            self._alerting.end(_PARTING)
            # What is rolled up may take minutes; given up, it is done at the next start.
            self._rollups.end()
            self._store.close()
            # All of them end at the same time, within what Kubernetes gives a pod.
            end = time.monotonic() + _END
            self._watch.stop(_left(end))
            self._roll.stop(_left(end))
            if self._alert.stop(_left(end)):
                self._alerting.close()
            # A turn under way is not broken off: it would tell of an InfluxDB that does not answer.
            if self._reconcile.stop(_left(end)):
                self._caller.end()
            self._server.stop()

    def _reconcile_turn(self, by_time: bool) -> float | None:
        began = time.monotonic()
        # The first turn, and those after a failure, trust nothing.
        relist = by_time or not self._trusting or began >= self._doubted_at
        self._trusting = True
        problem = ""
        try:
            try:
                report = self._reconciler.turn(relist=relist)
            except ClusterError as error:
                relist, self._trusting, problem = False, False, str(error)
                if not self._ready:
                    self._tell(problem)
                    self._metrics.turned("reconcile", "failed", time.monotonic() - began)
                    return self._again(well=False)
                # What watches have told stands, such as that with the kind all policies were removed.
                report = self._reconciler.turn(relist=False)
        except Exception:
            self._trusting = False
            self._metrics.turned("reconcile", "failed", time.monotonic() - began)
            raise
        self._tell("; ".join(filter(None, (problem, *report.problems))))
        well = report.well and not problem
        self._ready = True
        if relist:
            # What is deleted between a list and the beginning of a watch, no watch ever tells of.
            begins = self._watch.ensure(report.listed)
            self._doubted_at = time.monotonic() + _BEGUN if begins else math.inf
        if not report.left and set(report.ready) != self._known:
            # What is new wants its status soon; but while more is being made, each look at all would take from that.
            self._known = set(report.ready)
            self._roll.wake()
        self._metrics.world(report.ready, len(self._world.snapshot().nodes), missed=report.missed)
        self._metrics.turned("reconcile", "ok" if well else "failed", time.monotonic() - began)
        if report.left:
            return 0.0
        after = min(self._again(well=well), max(0.0, self._doubted_at - time.monotonic()))
        return None if after == math.inf else after

    def _again(self, *, well: bool) -> float:
        """When to try again: after longer and longer, so that what does not work is not asked for all the time."""
        self._failed = 0 if well else self._failed + 1
        return math.inf if well else min(_LONGEST, 2.0 ** (self._failed - 1))

    def _distrust(self) -> None:
        """Have everything listed soon."""
        self._trusting = False
        self._reconcile.wake()

    def _rollup_turn(self, _: bool) -> float | None:
        began, before = time.monotonic(), self._rollups.windows
        more = self._rollups.turn()
        self._metrics.rolled(self._rollups.windows - before, self._knowledge.get().downsampling)
        self._metrics.turned("rollup", "failed" if self._rollups.failure else "ok", time.monotonic() - began)
        return 0.0 if more else None

    def _alerts_turn(self) -> float:
        began, before = time.monotonic(), self._alerting.outage
        after = self._alerting.turn()
        outage = self._alerting.outage
        if outage and not before:
            _log.error("alerts cannot be evaluated: %s", outage)
        elif before and not outage:
            _log.info("alerts are evaluated again")
        self._metrics.alerts(self._alerting.pending, self._alerting.firing, self._alerting.receivers)
        self._metrics.turned("alerts", "failed" if outage else "ok", time.monotonic() - began)
        return after

    def _tell(self, problem: str) -> None:
        if problem and problem != self._told:
            _log.error("%s", problem)
        elif self._told and not problem:
            _log.info("all works again")
        self._told = problem

    def _stalled(self) -> list[str]:
        """What a restart may mend; that a server is away is no such thing, and neither is work that takes long."""
        limit = self._config.stalled_after
        wrong = []
        if self._reconcile.idle > limit:
            wrong.append(f"reconciling has not come round for {self._reconcile.idle:.0f} s")
        # These may take many minutes, all of it in calls that end in time.
        for loop, ended in ((self._roll, "rolling up has ended"), (self._alert, "evaluating alerts has ended")):
            if not loop.alive:
                wrong.append(ended)
        if self._world.overdue > limit:
            wrong.append(f"watches have not told for {self._world.overdue:.0f} s of what lists show")
        return wrong

    def _unready(self) -> list[str]:
        return [] if self._ready else ["no turn has been finished yet"]

    def _metrics_text(self) -> bytes:
        self._metrics.idle("reconcile", self._reconcile.idle)
        self._metrics.idle("rollup", self._roll.idle)
        self._metrics.idle("alerts", self._alert.idle)
        self._metrics.watching(self._watch.running)
        return self._metrics.text()


def _left(end: float) -> float:
    """Seconds, some even where there are none: what has ended is to be noticed."""
    return max(0.1, end - time.monotonic())
