"""What the exit code of ``nodetide`` means."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Exit"]


class Exit(IntEnum):
    """Exit codes, part of the interface."""

    OK = 0
    """Done, or ended as asked (Ctrl-C, SIGTERM) with nothing lost."""
    FAILED = 1
    """It ran, and something failed; or the policy that was to be checked is wrong."""
    USAGE = 2
    """A flag, a setting or the policy to run with is wrong; nothing was started."""
    IN_USE = 3
    """The address to listen on, or the data directory, is held by another process."""
    DAMAGED = 4
    """The data directory holds a damaged or foreign database; nothing was changed."""
    MISSING = 5
    """A part is not installed; the message says which extra brings it."""
