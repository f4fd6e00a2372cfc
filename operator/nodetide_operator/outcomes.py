"""What a turn found out about one policy, outside of Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Downsampling", "NodeCounts", "Notice", "Outcome", "SeenChecks", "SeenPart"]


@dataclass(frozen=True, slots=True)
class Notice:
    """What is worth a Kubernetes Event.

    Attributes:
        warning: whether a person has something to do.
    """

    warning: bool
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class SeenPart:
    """One tier as it is in InfluxDB.

    Attributes:
        retention: seconds; 0 keeps for ever.
        task: name of the task that fills it; empty for raw.
        bucket_id, task_id: empty where it is not there.
    """

    tier: str
    bucket: str
    bucket_id: str
    retention: int
    task: str = ""
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class SeenChecks:
    """Alerts that InfluxDB evaluates.

    Attributes:
        checks, rules: how many there are to be.
        problem: what is not as the policy has it, or fails; empty where nothing is.
    """

    checks: int = 0
    rules: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a policy stands in InfluxDB.

    Attributes:
        unreachable: why InfluxDB could not be asked, or not to the end; empty where it could.
        refused: why what the policy wants is not so; empty where it is.
        loses: whether that is because points would be lost.
        parts: empty where they are not known.
        checks: None where it has none in InfluxDB, or nothing is known of them.
    """

    unreachable: str = ""
    refused: str = ""
    loses: bool = False
    parts: tuple[SeenPart, ...] = ()
    checks: SeenChecks | None = None


@dataclass(frozen=True, slots=True)
class Downsampling:
    """How far tiers are rolled up.

    Attributes:
        behind: by tier, windows that should have been made and are not.
        windows: by tier, seconds.
        error: why rolling up fails; empty where it does not.
    """

    behind: Mapping[str, int] = field(default_factory=dict)
    windows: Mapping[str, int] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class NodeCounts:
    """
    Attributes:
        matched: nodes that the policy selects.
        applied: of these, those whose collector reports the policy as it is now.
        stale: of these, those whose collector reports another version, or has not reported for long.
        over_budget: of these, those with more series than the policy allows.
    """

    matched: int
    applied: int
    stale: int
    over_budget: int
