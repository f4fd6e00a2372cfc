"""What the InfluxDB sink needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nodetide_core.stores.influx.token import TokenSource

__all__ = ["InfluxConfig"]


@dataclass(frozen=True, slots=True)
class InfluxConfig:
    """
    Attributes:
        url: of InfluxDB, without a trailing slash.
        org: name or id of the organization.
        token: asked before every request, so that a rotated one is used at once.
        host: this node's name; decides where in the interval it flushes.
        spool_dir: of this process alone; holds what is not written yet, across restarts.
        spool_max_bytes: of files, for each bucket; past it the oldest points are dropped.
        memory_max_bytes: for each bucket, kept while the files can't be written.
        flush_interval: seconds between writes, so that a point is written at most so late.
        ca_file: certificates to trust instead of the system's.
        timeout: seconds that InfluxDB may take to answer.
        max_lines: of a request.
        max_request_bytes: of a request, compressed; nginx by default refuses 1 MiB.
    """

    url: str
    org: str
    token: TokenSource
    host: str
    spool_dir: Path
    spool_max_bytes: int = 256 * 2**20
    memory_max_bytes: int = 2 * 2**20
    flush_interval: float = 5.0
    ca_file: Path | None = None
    timeout: float = 20.0
    max_lines: int = 5_000
    max_request_bytes: int = 2**19
