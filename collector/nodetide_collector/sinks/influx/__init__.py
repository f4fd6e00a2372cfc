"""The sink that writes to InfluxDB. Imported only where it is used: TLS and HTTP take some memory."""

from nodetide_collector.sinks.influx.config import InfluxConfig
from nodetide_collector.sinks.influx.sink import InfluxSink

__all__ = ["InfluxConfig", "InfluxSink"]
