"""Prometheus's node_exporter: a peer. Unpacked, not installed: its service never starts."""

from __future__ import annotations

from pathlib import Path

from . import apt, cache
from .cached import CachedPart
from .steps import Steps

_VERSION = "1.5.0"  # of any Debian revision
_PACKAGE = "prometheus-node-exporter"


def _build(steps: Steps, folder: Path) -> None:
    with cache.locked("apt"):
        apt.unpack(steps, f"{_PACKAGE}={_VERSION}*", folder)


NODE_EXPORTER = CachedPart("node_exporter", _VERSION, f"usr/bin/{_PACKAGE}", _build)
