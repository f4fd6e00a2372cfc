"""``nodetide collect``: samples this machine and writes line protocol."""

from __future__ import annotations

import argparse
import signal
import sys

from nodetide.composing import collector_config, host_of, on_signals
from nodetide.exits import Exit
from nodetide.influx import influx_sink
from nodetide.logs import announce_settings
from nodetide.printing import RENDERERS, PrintSink
from nodetide_collector.collector import Collector
from nodetide_collector.sinks.lines import LinesSink, open_lines
from nodetide_collector.sinks.sink import Sink
from nodetide_core.errors import ConfigError, ListenError
from nodetide_core.settings import Loaded, Settings

__all__ = ["main"]


def main(arguments: argparse.Namespace, loaded: Loaded) -> Exit:
    settings = loaded.settings
    if arguments.once:
        return _once(settings, arguments.format or ("table" if sys.stdout.isatty() else "line"))
    announce_settings(loaded, "collect")
    sink = _sink(loaded, dry_run=arguments.dry_run, format=arguments.format)
    collector = _collector(settings, sink)
    on_signals(collector.stop)
    collector.run()
    return Exit.OK


def _once(settings: Settings, format: str) -> Exit:
    collector = _collector(settings, PrintSink(RENDERERS[format]))
    on_signals(collector.stop)
    sys.stdout.write(RENDERERS[format](collector.once(settings.sample_window)))
    sys.stdout.flush()
    return Exit.OK


def _collector(settings: Settings, sink: Sink) -> Collector:
    try:
        return Collector(collector_config(settings), sink, host=host_of(settings))
    except OSError as error:
        raise ListenError(f"cannot listen on {settings.metrics_listen}: {error.strerror or error}") from None


def _sink(loaded: Loaded, *, dry_run: bool, format: str | None) -> Sink:
    settings = loaded.settings
    if dry_run:
        return PrintSink(RENDERERS[format or "line"])
    if format not in (None, "line"):
        raise ConfigError("--format", "goes with --once or --dry-run; what is written is line protocol")
    if settings.influxdb_url is not None:
        return influx_sink(loaded)
    if settings.output is None:
        # `nodetide collect | head` ends with head; the sink itself would wait for a new reader.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        return LinesSink(sys.stdout.fileno())
    try:
        return open_lines(settings.output)
    except OSError as error:
        raise ConfigError("NODETIDE_OUTPUT", f"cannot write to {settings.output}: {error.strerror}") from None
