"""The InfluxDB sink, from settings."""

from __future__ import annotations

from pathlib import Path

from nodetide_collector.sinks.influx.config import InfluxConfig
from nodetide_collector.sinks.influx.sink import InfluxSink
from nodetide_core.errors import ConfigError
from nodetide_core.settings import Settings
from nodetide_core.stores.influx.token import TokenSource, token_file

__all__ = ["influx_sink"]


def influx_sink(settings: Settings, url: str, file: Path | None) -> InfluxSink:
    """
    Args:
        file: the file the token was read from, which is read again when it is rotated.

    Raises:
        ConfigError: the organization or the token is missing.
        StoreBusy: another process has the spool directory.
    """
    if settings.influxdb_org is None:
        raise ConfigError("INFLUXDB_ORG", f"is needed to write to INFLUXDB_URL ({url})")
    if settings.influxdb_token is None:
        raise ConfigError("INFLUXDB_TOKEN", f"is needed to write to {url}; or name its file in INFLUXDB_TOKEN_FILE")
    return InfluxSink(
        InfluxConfig(
            url=url,
            org=settings.influxdb_org,
            token=_token(settings.influxdb_token, file),
            host=settings.host_name,
            spool_dir=settings.spool_dir,
            spool_max_bytes=settings.spool_max_bytes,
            flush_interval=settings.flush_interval,
            ca_file=settings.influxdb_ca_file,
        )
    )


def _token(value: str, file: Path | None) -> TokenSource:
    return token_file(file) if file is not None else lambda: value
