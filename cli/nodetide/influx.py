"""From settings to what talks to InfluxDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodetide_core.errors import ConfigError
from nodetide_core.settings import Loaded
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.token import TokenSource, token_file

if TYPE_CHECKING:
    from nodetide_collector.sinks.influx.sink import InfluxSink

__all__ = ["flux_token", "influx_sink", "store_config"]


def store_config(loaded: Loaded) -> StoreConfig:
    """
    Raises:
        ConfigError: the URL, the organization or the token is missing.
    """
    settings = loaded.settings
    url, org, token = settings.influxdb_url, settings.influxdb_org, settings.influxdb_token
    if url is None:
        raise ConfigError("INFLUXDB_URL", "is needed: where InfluxDB is, such as http://localhost:8086")
    if org is None:
        raise ConfigError("INFLUXDB_ORG", f"is needed for INFLUXDB_URL ({url})")
    # A file is read again when what is in it is rotated, and when it comes.
    file = loaded.files.get("INFLUXDB_TOKEN")
    if file is not None:
        return StoreConfig(url, org, token_file(file), ca_file=settings.influxdb_ca_file)
    if token is None:
        raise ConfigError("INFLUXDB_TOKEN", f"is needed for {url}; or name its file in INFLUXDB_TOKEN_FILE")
    return StoreConfig(url, org, lambda: token, ca_file=settings.influxdb_ca_file)


def flux_token(loaded: Loaded) -> TokenSource | None:
    """What the queries of alerts run with; None where nobody has said it."""
    file, token = loaded.files.get("NODETIDE_FLUX_TOKEN"), loaded.settings.flux_token
    if file is not None:
        return token_file(file)
    return None if token is None else lambda: token


def influx_sink(loaded: Loaded) -> InfluxSink:
    """
    Raises:
        ConfigError: see `store_config`.
        StoreBusy: another process has the spool directory.
    """
    # Its TLS costs memory that a collector without InfluxDB need not have.
    from nodetide_collector.sinks.influx.config import InfluxConfig
    from nodetide_collector.sinks.influx.sink import InfluxSink

    settings, target = loaded.settings, store_config(loaded)
    return InfluxSink(
        InfluxConfig(
            url=target.url,
            org=target.org,
            token=target.token,
            host=settings.host_name,
            spool_dir=settings.spool_dir,
            spool_max_bytes=settings.spool_max_bytes,
            flush_interval=settings.flush_interval,
            ca_file=target.ca_file,
        )
    )
