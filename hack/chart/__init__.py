"""Writes what is generated of ``charts/nodetide`` and ``manifests/install``: ``python -m hack.chart``."""
