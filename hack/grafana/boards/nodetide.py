"""Nodetide itself: what collectors cost and whether what they write arrives, and how far tiers are rolled up."""

from __future__ import annotations

from .panels import Age, Board, Panel, Row, Stat

__all__ = ["BOARD"]

_ALL_GROUPS = {"group": "all"}
_EACH = {"group": "/^[a-z_]+$/"}
_HOST = "${__field.labels.host}"
_GROUP = f"{_HOST} ${{__field.labels.group}}"

BOARD = Board(
    uid="nodetide-itself",
    title="Nodetide itself",
    description="Collectors, and on a tier other than raw the rollups of operator or upkeep.",
    rows=(
        Row(
            "Does it arrive?",
            (
                Age("Newest point of the tier (rollups: one window and a minute is well)", "collector", "success",
                    _ALL_GROUPS, width=24),
                Panel("Points written", "collector", ["points_written"], _HOST, _ALL_GROUPS),
                Panel("Points dropped", "collector", ["points_dropped"], _HOST, _ALL_GROUPS),
                Panel("Waiting for InfluxDB", "collector", ["spool_bytes"], _HOST, _ALL_GROUPS),
                Panel("Oldest that waits", "collector", ["spool_oldest_s"], _HOST, _ALL_GROUPS),
            ),
        ),
        Row(
            "Does it work?",
            (
                Panel("Groups read (1) or failed (0)", "collector", ["success"], _GROUP, _EACH, most=1),
                Panel("Time to read a group", "collector", ["duration_ms"], _GROUP, _EACH),
            ),
        ),
        Row(
            "What does it cost?",
            (
                Panel("Memory of the collector", "collector", ["rss_bytes"], _HOST, _ALL_GROUPS),
                Panel("CPU of the collector", "collector", ["cpu_seconds"], _HOST, _ALL_GROUPS),
                Panel("Series of a host", "collector", ["series"], _HOST, _ALL_GROUPS),
                Stat("Series of a host, now", "collector", "series", _ALL_GROUPS, width=12, height=8),
            ),
        ),
    ),
)  # fmt: skip
