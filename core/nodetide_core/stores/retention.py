"""When data may go, and how late a point may come: pure, and the same for every store that
decides it itself.

A tier's *edge* is the time before which its data is gone.  Edges lie on window borders of the next
tier and move only past windows that are rolled up, so every window of the next tier has all of its
source or none.  Raw keeps ``counter_gap`` more, because the first step of a window starts at the
sample before it.
"""

from __future__ import annotations

from collections.abc import Mapping

from nodetide_core.tiers import Tier, Tiers, align_down, align_up

__all__ = ["due_edge", "first_whole_window", "oldest_accepted"]


def _next(tiers: Tiers, tier: Tier) -> Tier | None:
    at = tiers.tiers.index(tier) + 1
    return tiers.tiers[at] if at < len(tiers.tiers) else None


def _margin(tiers: Tiers, tier: Tier, window: int) -> int:
    return align_up(tiers.counter_gap, window) if tier.window == 0 else 0


def due_edge(tiers: Tiers, tier: Tier, now: int, *, rolled: int | None, pending: int | None) -> int | None:
    """Where the edge of ``tier`` may be at ``now``; None while nothing may go.

    Args:
        rolled: the watermark of the next tier, where there is one.
        pending: start of the oldest window, of any tier, that waits to be rolled up again.
    """
    if tier.retention == 0:
        return None
    after = _next(tiers, tier)
    window = after.window if after else max(1, tier.window)
    edge = align_down(now - tier.retention, window)
    if after is not None:
        if rolled is None:
            return None
        edge = min(edge, rolled)
        if pending is not None:
            edge = min(edge, align_down(pending, window))
    return edge - _margin(tiers, tier, window)


def oldest_accepted(tiers: Tiers, now: int, edges: Mapping[str, int]) -> int:
    """The oldest time a point may have at ``now``: within the raw retention, and with everything
    still there that its windows, in every tier, are made from.

    Args:
        edges: by tier name; a tier that lost nothing yet is absent.
    """
    oldest = max(0, now - tiers.raw.retention) if tiers.raw.retention else 0
    for tier, after in zip(tiers.tiers, tiers.rollups, strict=False):
        if tier.name in edges:
            oldest = max(oldest, first_whole_window(tiers, tier, after.window, edges[tier.name]))
    if not tiers.rollups:
        oldest = max(oldest, edges.get(tiers.raw.name, 0))
    return oldest


def first_whole_window(tiers: Tiers, source: Tier, window: int, edge: int) -> int:
    """Start of the first window of ``window`` seconds that ``source``, gone before ``edge``, can make."""
    return align_up(edge + (tiers.counter_gap if source.window == 0 else 0), window)
