"""Standalone mode: collector, embedded store, API and page composed into one process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from nodetide.alerting import Alerting
from nodetide.banner import banner
from nodetide.composing import collector_config, host_of
from nodetide.secret_files import secret_files
from nodetide_api.app import create_app
from nodetide_api.config import ApiConfig
from nodetide_api.server import ApiServer, listen
from nodetide_collector.collector import Collector
from nodetide_collector.sinks.store import StoreSink
from nodetide_core.errors import StoreRejected
from nodetide_core.policy import LOSS_HINT, Policy
from nodetide_core.settings import Settings
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.stores.upkeep import Upkeep

__all__ = ["Standalone"]

_log = logging.getLogger(__name__)

#: Points that wait longer than this, in seconds, are worth a word in /health.
_LATE = 5.0
#: Seconds that the end waits for an evaluation and for receivers.
_PATIENCE = 5.0


class Standalone:
    """Opens everything, in the order in which it can fail without having changed anything.

    Raises:
        ListenError, StoreBusy, StoreCorrupt, StoreUnavailable, StoreRejected, PolicyError: before
            anything runs; the message says what to do.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running = False
        self._unevaluated: set[str] = set()
        listener = listen(settings.listen.host, settings.listen.port)
        try:
            self._store = EmbeddedStore.open(settings.data_dir)
            self._alerting = Alerting(self._store, secret_files(settings.secrets_dir), cluster=settings.cluster or "")
            try:
                self._sink = StoreSink(self._store)
                self._collector = Collector(
                    collector_config(settings), self._sink, host=host_of(settings), on_policies=self._apply
                )
            except BaseException:
                self._alerting.stop(0)
                self._store.close()
                raise
        except BaseException:
            listener.close()
            raise
        self._upkeep = Upkeep(self._store)
        self._failure: BaseException | None = None
        checks = {
            "collector": self._collector_health,
            "upkeep": lambda: self._upkeep.state.error or "ok",
            "alerts": self._alerting.health,
        }
        app = create_app(
            self._store,
            ApiConfig(token=settings.api_token),
            checks=checks,
            evaluating=lambda: self._alerting.evaluates,
        )
        self._server = ApiServer(app, listener)

    def _apply(self, policies: Sequence[Policy]) -> None:
        """At the start what the store refuses ends everything; later it goes on as it was, and no tick waits."""
        self._follow(policies)
        # Those of suspended policies, too: their alerts are remembered there until they have ended.
        streams = [policy.stream for policy in policies]
        if self._running:
            self._sink.ensure(streams)
            return
        try:
            self._store.ensure(streams)
        except StoreRejected as error:
            raise StoreRejected(f"{error}; {LOSS_HINT}") from None

    def _follow(self, policies: Sequence[Policy]) -> None:
        self._alerting.follow(policies)
        left = {policy.name for policy in policies if policy.alerts and policy.alert_engine != "nodetide"}
        for name in sorted(left - self._unevaluated):
            _log.warning("nobody evaluates the alerts of policy %s: here is no InfluxDB that could", name)
        self._unevaluated = left

    def run(self) -> bool:
        """Serves until SIGINT or SIGTERM; whether it ended well."""
        self._running = True
        thread = threading.Thread(target=self._collect, name="nodetide-collector")
        self._upkeep.start()
        thread.start()
        self._alerting.start()
        print(banner(self._server.url, str(self._settings.data_dir)), flush=True)
        try:
            self._server.run(signals=True)
        finally:
            self._collector.stop()
            thread.join()
            self._alerting.stop(_PATIENCE)
            self._upkeep.stop()
            self._store.close()
        return self._failure is None

    def _collect(self) -> None:
        try:
            self._collector.run()
        except BaseException as error:  # noqa: BLE001 - whatever it is, an API over dead data would be a lie
            self._failure = error
            _log.critical("the collector failed, ending", exc_info=error)
            self._server.stop()

    def _collector_health(self) -> str:
        stats = self._sink.stats()
        if stats.spool_oldest_s > _LATE:
            return f"points wait to be stored since {stats.spool_oldest_s:.0f} s ({stats.dropped} dropped so far)"
        return "ok"
