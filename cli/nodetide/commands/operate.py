"""``nodetide operate``: the operator."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

from nodetide.composing import on_signals
from nodetide.exits import Exit
from nodetide.influx import flux_token, store_config
from nodetide.logs import announce_settings
from nodetide_core.errors import ConfigError
from nodetide_core.settings import Loaded
from nodetide_operator.config import OperatorConfig
from nodetide_operator.running import Operator

__all__ = ["main"]

_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def main(arguments: argparse.Namespace, loaded: Loaded) -> Exit:
    del arguments
    config = _config(loaded)
    announce_settings(loaded, "operate")
    operator = Operator(config)
    stopping = threading.Event()
    on_signals(stopping.set)
    operator.run(stopping)
    return Exit.OK


def _config(loaded: Loaded) -> OperatorConfig:
    settings = loaded.settings
    influx = store_config(loaded)
    namespace = settings.namespace or _pod_namespace()
    if namespace is None:
        raise ConfigError("NODETIDE_NAMESPACE", "is needed outside of a pod: where the operator keeps what it writes")
    watched = settings.watch_namespaces
    return OperatorConfig(
        influx=influx,
        namespace=namespace,
        namespaces=(namespace,) if watched is None else watched,
        cluster=settings.cluster or "",
        settings_map=settings.settings_map,
        token_prefix=settings.token_secrets,
        flux_token=flux_token(loaded),
        listen=(settings.operator_listen.host, settings.operator_listen.port),
        resync=float(settings.resync),
    )


def _pod_namespace() -> str | None:
    try:
        return _POD.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
