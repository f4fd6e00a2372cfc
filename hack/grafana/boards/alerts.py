"""The alerts of a policy: which fire, and when they did."""

from __future__ import annotations

from .panels import AlertTable, AlertTimeline, Board, Row

__all__ = ["BOARD"]

BOARD = Board(
    uid="nodetide-alerts",
    title="Alerts",
    description="Alerts of the chosen policy, as the operator, upkeep or `nodetide run` evaluates them.",
    rows=(Row("Alerts", (AlertTable("Firing"), AlertTimeline("Pending and firing"))),),
)
