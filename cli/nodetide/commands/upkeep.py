"""``nodetide upkeep``: keeps InfluxDB as policies say, without Kubernetes."""

from __future__ import annotations

import argparse
import threading
from concurrent.futures import ThreadPoolExecutor

from nodetide.composing import on_signals
from nodetide.exits import Exit
from nodetide.influx import store_config
from nodetide.keeping import Keeper
from nodetide.logs import announce_settings
from nodetide.vault import FileVault
from nodetide_collector.policies import PolicySource
from nodetide_core.settings import Loaded
from nodetide_core.stores.influx.caller import connect
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.store import InfluxStore

__all__ = ["main"]

#: Seconds between two turns.
_EVERY = 5.0


def main(arguments: argparse.Namespace, loaded: Loaded) -> Exit:
    settings = loaded.settings
    config = store_config(loaded)
    announce_settings(loaded, "upkeep")
    store = InfluxStore(config)
    caller = connect(config, config.timeout)
    keeper = Keeper(
        PolicySource(settings.policy, settings.influxdb_bucket),
        store,
        Control(caller, config.org),
        FileVault(settings.token_dir) if settings.token_dir is not None else None,
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
    with ThreadPoolExecutor(1, "upkeep") as pool:
        running = pool.submit(work)
        stopping.wait()
        keeper.stop()
        # A rollup may run for minutes; given up, it is made again at the next start.
        store.close()
        caller.end()
        well = running.result()
    return Exit.OK if well or not arguments.once else Exit.FAILED
