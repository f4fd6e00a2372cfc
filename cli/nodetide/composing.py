"""From settings to the parts that several commands are made of."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

from nodetide_collector.collector import CollectorConfig
from nodetide_collector.host import Host
from nodetide_core.settings import Settings

__all__ = ["collector_config", "host_of", "on_signals"]


def host_of(settings: Settings) -> Host:
    """Where the host's files are."""
    return Host(proc=settings.proc_root, sys=settings.sys_root, root=settings.root)


def collector_config(settings: Settings) -> CollectorConfig:
    """What the collector needs to know."""
    listen = settings.metrics_listen
    return CollectorConfig(
        host=settings.host_name,
        cluster=settings.cluster or "",
        policies=settings.policy,
        node_settings=settings.node_settings,
        bucket=settings.influxdb_bucket,
        exporter=None if listen is None else (listen.host, listen.port),
    )


def on_signals(stop: Callable[[], None]) -> None:
    """SIGINT and SIGTERM call ``stop``; a second one ends the process."""

    def handle(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
