"""etcd, in which the apiserver keeps everything."""

from __future__ import annotations

from .debian import unpacked

ETCD = unpacked("etcd", package="etcd-server", version="3.4.23", program="usr/bin/etcd")
