"""InfluxDB line protocol: points to text and back.

https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

from nodetide_core.lineprotocol.encode import Encoder, encode
from nodetide_core.lineprotocol.parse import parse, parse_line

__all__ = ["Encoder", "encode", "parse", "parse_line"]
