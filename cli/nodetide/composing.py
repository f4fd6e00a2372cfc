"""From settings to the parts that several commands are made of."""

from __future__ import annotations

import signal
from types import FrameType

from nodetide_collector.collector import Collector, CollectorConfig
from nodetide_collector.host import Host
from nodetide_core.settings import Settings

__all__ = ["collector_config", "host_of", "stop_on_signals"]


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
        bucket=settings.influxdb_bucket,
        exporter=None if listen is None else (listen.host, listen.port),
    )


def stop_on_signals(collector: Collector) -> None:
    """SIGINT and SIGTERM end the collector after the tick under way; a second one ends the process."""

    def handle(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        collector.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
