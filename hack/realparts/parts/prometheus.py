"""Prometheus, which scrapes `/metrics`, and promtool, which checks what it is given."""

from __future__ import annotations

from .companion import CompanionPart
from .debian import unpacked

PROMETHEUS = unpacked("prometheus", package="prometheus", version="2.42.0", program="usr/bin/prometheus")
PROMTOOL = CompanionPart("promtool", PROMETHEUS, "usr/bin/promtool")
