"""``nodetide serve``: API and page over stored data, without a collector."""

from __future__ import annotations

import argparse

from nodetide.banner import banner
from nodetide.exits import Exit
from nodetide.logs import announce_settings
from nodetide_api.app import create_app
from nodetide_api.config import ApiConfig
from nodetide_api.server import ApiServer, listen
from nodetide_core.settings import Loaded
from nodetide_core.stores.embedded import EmbeddedStore

__all__ = ["main"]


def main(arguments: argparse.Namespace, loaded: Loaded) -> Exit:
    del arguments
    settings = loaded.settings
    announce_settings(loaded, "serve")
    listener = listen(settings.listen.host, settings.listen.port)
    store = EmbeddedStore.open(settings.data_dir, read_only=True)
    try:
        server = ApiServer(create_app(store, ApiConfig(token=settings.api_token)), listener)
        print(banner(server.url, settings.data_dir), flush=True)
        server.run(signals=True)
    finally:
        store.close()
    return Exit.OK
