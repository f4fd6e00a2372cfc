"""How many nodes run a policy as it is.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from nodetide_core.policy import NodeSelector
from nodetide_operator.outcomes import NodeCounts

__all__ = ["Heard", "Matches", "Report", "count_nodes", "fresh_after"]

#: Seconds that a report may be late at least: a flush, an outage of a minute.
_PATIENCE = 120


@dataclass(frozen=True, slots=True)
class Report:
    """What a collector last said of itself; the same where only its time is another.

    Attributes:
        time: Unix seconds.
        hash: of the policy that it runs.
        over_budget: series left out.
    """

    time: int = field(compare=False)
    hash: str
    over_budget: int


@dataclass(frozen=True, slots=True)
class Heard:
    """The reports on one policy.

    Attributes:
        at: when they were asked for; Unix seconds.
        reports: by node.
    """

    at: int = field(compare=False)
    reports: Mapping[str, Report]


class Matches:
    """Which nodes selectors match; many policies have the same one, and share what it matches.

    Args:
        nodes: labels by name.
    """

    def __init__(self, nodes: Mapping[str, Mapping[str, str]]) -> None:
        self._nodes = nodes
        self._found: dict[str, frozenset[str]] = {}

    def of(self, selector: NodeSelector) -> frozenset[str]:
        key = repr(selector)
        if key not in self._found:
            self._found[key] = frozenset(name for name, labels in self._nodes.items() if selector.matches(labels))
        return self._found[key]


def fresh_after(interval: int, now: int) -> int:
    """The time after which a report counts, where collectors report every ``interval`` seconds."""
    return now - max(_PATIENCE, 3 * interval)


def count_nodes(matched: Set[str], heard: Heard, *, hash: str, interval: int) -> NodeCounts:
    """
    Args:
        matched: names of the nodes that the policy selects.
        hash: that collectors report once they run the policy as it is.
        interval: seconds between two reports.
    """
    # By the time of asking: while InfluxDB cannot be asked, nobody is known to be silent.
    since = fresh_after(interval, heard.at)
    found = [report for name, report in heard.reports.items() if name in matched and report.time >= since]
    applied = sum(report.hash == hash for report in found)
    over = sum(report.over_budget > 0 for report in found)
    return NodeCounts(len(matched), applied, len(matched) - applied, over)
