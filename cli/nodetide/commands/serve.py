"""``nodetide serve``: API and page over stored data, without a collector."""

from __future__ import annotations

import argparse

from nodetide.banner import banner
from nodetide.exits import Exit
from nodetide.influx import store_config
from nodetide.logs import announce_settings
from nodetide_api.app import create_app
from nodetide_api.config import ApiConfig
from nodetide_api.server import ApiServer, listen
from nodetide_core.settings import Loaded
from nodetide_core.store import Store
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.stores.influx.store import InfluxStore

__all__ = ["main"]


def main(arguments: argparse.Namespace, loaded: Loaded) -> Exit:
    del arguments
    settings = loaded.settings
    announce_settings(loaded, "serve")
    listener = listen(settings.listen.host, settings.listen.port)
    try:
        store, place = _store(loaded)
    except BaseException:
        listener.close()
        raise
    try:
        server = ApiServer(create_app(store, ApiConfig(token=settings.api_token)), listener)
        print(banner(server.url, place), flush=True)
        server.run(signals=True)
    finally:
        store.close()
    return Exit.OK


def _store(loaded: Loaded) -> tuple[Store, str]:
    """What is served, and where it is. InfluxDB need not be up yet."""
    settings = loaded.settings
    if settings.influxdb_url is None:
        return EmbeddedStore.open(settings.data_dir, read_only=True), str(settings.data_dir)
    config = store_config(loaded)
    return InfluxStore(config), config.url
