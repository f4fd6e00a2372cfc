"""Prometheus's node_exporter: a peer."""

from __future__ import annotations

from .debian import unpacked

NODE_EXPORTER = unpacked(
    "node_exporter",
    package="prometheus-node-exporter",
    version="1.5.0",
    program="usr/bin/prometheus-node-exporter",
)
