"""What `InfluxStore` needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nodetide_core.stores.influx.token import TokenSource

__all__ = ["StoreConfig"]


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """
    Attributes:
        url: of InfluxDB, without a trailing slash.
        org: name or id of the organization, which the token must be of.
        token: asked before every request, so that a rotated one is used at once.
        ca_file: certificates to trust instead of the system's.
        connections: reads that run at once; more of them wait.
        timeout: seconds for one read or write.
        upkeep_timeout: seconds for one run of a rollup.
    """

    url: str
    org: str
    token: TokenSource
    ca_file: Path | None = None
    connections: int = 8
    timeout: float = 20.0
    upkeep_timeout: float = 300.0
