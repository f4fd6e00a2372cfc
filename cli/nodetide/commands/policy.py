"""``nodetide policy validate``: says what a policy does, or everything that is wrong with it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from nodetide.exits import Exit
from nodetide_core.durations import format_duration
from nodetide_core.errors import PolicyError, Problem
from nodetide_core.policy import Policy, load_policies
from nodetide_core.tiers import describe

__all__ = ["validate"]


def validate(paths: Iterable[Path]) -> Exit:
    """Checks every path; problems go to standard error, one a line."""
    outcome = Exit.OK
    for path in paths:
        try:
            for policy in load_policies(path):
                print(f"{path}: {summary(policy)}")
        except PolicyError as error:
            outcome = Exit.FAILED
            for problem in error.problems:
                print(_place(path, problem), file=sys.stderr)
    return outcome


def _place(path: Path, problem: Problem) -> str:
    """A problem names its file already where there is one to name; then only the folder is missing."""
    folder = path if path.is_dir() else path.parent
    named = problem.path.startswith(path.name) or path.is_dir()
    return f"{folder}/{problem}" if named and problem.path else f"{path}: {problem}"


def summary(policy: Policy) -> str:
    """One line for people."""
    collection = policy.collection
    every = format_duration(collection.interval)
    alerts = f", {len(policy.alerts)} alerts" if policy.alerts else ""
    return (
        f"{policy.name} is valid: {len(collection.groups)} groups every {every}, "
        f"bucket {policy.storage.bucket} ({describe(policy.storage.tiers)}){alerts}"
    )
