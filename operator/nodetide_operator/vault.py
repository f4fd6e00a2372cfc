"""Tokens in Secrets."""

from __future__ import annotations

from nodetide_operator.cluster import Cluster

__all__ = ["SecretVault"]

_KEY = "token"


class SecretVault:
    """A `nodetide_core.stores.influx.authorizations.TokenVault` of the Secrets ``PREFIX-NAME``."""

    def __init__(self, cluster: Cluster, prefix: str) -> None:
        self._cluster = cluster
        self._prefix = prefix

    def held(self, name: str) -> str | None:
        return self._cluster.secret(f"{self._prefix}-{name}", _KEY) or None

    def keep(self, name: str, token: str) -> None:
        self._cluster.put_secret(f"{self._prefix}-{name}", _KEY, token)
