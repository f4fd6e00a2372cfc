"""How many nodes run a policy as it is.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nodetide_core.policy import NodeSelector
from nodetide_operator.outcomes import NodeCounts

__all__ = ["Report", "count_nodes", "fresh_after"]

#: Seconds that a report may be late at least: a flush, an outage of a minute.
_PATIENCE = 120


@dataclass(frozen=True, slots=True)
class Report:
    """What a collector last said of itself.

    Attributes:
        time: Unix seconds.
        hash: of the policy that it runs.
        over_budget: series left out.
    """

    time: int
    hash: str
    over_budget: int


def fresh_after(interval: int, now: int) -> int:
    """The time after which a report counts, where collectors report every ``interval`` seconds."""
    return now - max(_PATIENCE, 3 * interval)


def count_nodes(
    selector: NodeSelector,
    nodes: Mapping[str, Mapping[str, str]],
    reports: Mapping[str, Report],
    *,
    hash: str,
    since: int,
) -> NodeCounts:
    """
    Args:
        nodes: labels by name.
        reports: by node.
        hash: that collectors report once they run the policy as it is.
        since: see `fresh_after`.
    """
    matched = [name for name, labels in nodes.items() if selector.matches(labels)]
    heard = [report for name in matched if (report := reports.get(name)) is not None and report.time >= since]
    applied = sum(report.hash == hash for report in heard)
    over = sum(report.over_budget > 0 for report in heard)
    return NodeCounts(len(matched), applied, len(matched) - applied, over)
