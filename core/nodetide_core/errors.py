"""The errors of Nodetide, in one small tree.

``TemporaryError`` says "the same call may succeed later": whoever catches it decides when to try
again.  Every other error is permanent: trying again without a change gives the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "ConfigError",
    "LineProtocolError",
    "ListenError",
    "LossRefused",
    "NodetideError",
    "PolicyError",
    "Problem",
    "QueryError",
    "StoreBusy",
    "StoreCorrupt",
    "StoreError",
    "StoreRejected",
    "StoreUnavailable",
    "TemporaryError",
]


class NodetideError(Exception):
    """Base of every error raised on purpose."""


class TemporaryError(NodetideError):
    """The same call may succeed later."""


class ConfigError(NodetideError):
    """A setting is missing or wrong; the message names the variable and what is allowed."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.problem = problem


class ListenError(NodetideError):
    """An address cannot be listened on; the message names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a document: where (``spec.storage.tiers[1].window``) and what is allowed."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class PolicyError(NodetideError):
    """A MetricPolicy is wrong; carries every problem found, not only the first."""

    def __init__(self, problems: Sequence[Problem], source: str = "") -> None:
        self.problems = tuple(problems)
        self.source = source
        lines = "; ".join(str(problem) for problem in self.problems)
        super().__init__(f"{source}: {lines}" if source else lines)


class LineProtocolError(NodetideError):
    """A line is not line protocol; ``column`` counts characters from 1."""

    def __init__(self, reason: str, column: int, line: str) -> None:
        super().__init__(f"column {column}: {reason}")
        self.reason = reason
        self.column = column
        self.line = line


class QueryError(NodetideError):
    """A query parameter is wrong; names it and what is allowed."""

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(f"{parameter}: {problem}")
        self.parameter = parameter
        self.problem = problem


class StoreError(NodetideError):
    """Base of what a store can fail with."""


class StoreUnavailable(StoreError, TemporaryError):
    """The store cannot be reached or cannot take data now (down, disk full, time-out)."""

    def __init__(self, message: str, retry_after: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoreBusy(StoreError):
    """Another process holds the store; the message says which and what to do."""


class StoreCorrupt(StoreError):
    """The store's files are damaged or not ours; nothing was changed."""


class StoreRejected(StoreError):
    """The store refuses this data or query for good; the message says why."""


class LossRefused(StoreRejected):
    """A change would delete points, and the policy does not allow that."""
