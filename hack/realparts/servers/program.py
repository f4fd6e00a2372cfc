"""Find a part's program, or say what gets it."""

from __future__ import annotations

from pathlib import Path

import realparts


class PartMissing(LookupError):
    """A part has not been got yet; the message has the command that gets it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the real {name} is missing; get it with: {realparts.command(name)}")


def program(name: str) -> Path:
    """The named part's program. Never builds: that takes minutes, and is a command of its own."""
    found = realparts.path(name)
    if found is None:
        raise PartMissing(name)
    return found
