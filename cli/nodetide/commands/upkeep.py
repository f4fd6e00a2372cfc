"""``nodetide upkeep``: keeps InfluxDB as policies say, without Kubernetes."""

from __future__ import annotations

import argparse
import threading
from concurrent.futures import ThreadPoolExecutor

from nodetide.alerting import Alerting
from nodetide.checks import LocalChecks
from nodetide.composing import on_signals
from nodetide.exits import Exit
from nodetide.influx import flux_token, store_config
from nodetide.keeping import Keeper
from nodetide.logs import announce_settings
from nodetide.secret_files import secret_files
from nodetide.vault import FileVault
from nodetide_collector.policies import PolicySource
from nodetide_core.settings import Loaded
from nodetide_core.stores.influx.caller import connect
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.query_tokens import GivenToken, ReaderTokens
from nodetide_core.stores.influx.store import InfluxStore

__all__ = ["main"]

#: Seconds between two turns.
_EVERY = 5.0
#: Seconds that the end waits for an evaluation and for receivers.
_PATIENCE = 5.0


def main(arguments: argparse.Namespace, loaded: Loaded) -> Exit:
    settings = loaded.settings
    config = store_config(loaded)
    announce_settings(loaded, "upkeep")
    readers, given = ReaderTokens(), flux_token(loaded)
    store = InfluxStore(config, flux_tokens=readers if given is None else GivenToken(given))
    caller = connect(config, config.timeout)
    control = Control(caller, config.org)
    secrets = secret_files(settings.secrets_dir)
    alerting = Alerting(store, secrets, cluster=settings.cluster or "")
    keeper = Keeper(
        PolicySource(settings.policy, settings.influxdb_bucket),
        store,
        control,
        FileVault(settings.token_dir) if settings.token_dir is not None else None,
        on_policies=alerting.follow,
        checks=LocalChecks(caller, control, secrets),
        # No alerts are evaluated once.
        readers=None if arguments.once else readers,
        own_readers=given is None,
    )
    stopping = threading.Event()

    def work() -> bool:
        try:
            well = keeper.turn()
            while not arguments.once and not stopping.wait(_EVERY):
                keeper.turn()
            return well
        finally:
            stopping.set()

    on_signals(stopping.set)
    if not arguments.once:
        alerting.start()
    with ThreadPoolExecutor(1, "upkeep") as pool:
        running = pool.submit(work)
        stopping.wait()
        keeper.stop()
        alerting.stop(_PATIENCE)
        # A rollup may run for minutes; given up, it is made again at the next start.
        store.close()
        caller.end()
        well = running.result()
    return Exit.OK if well or not arguments.once else Exit.FAILED
