"""A further program of a part: it comes and goes with that part."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .cached import CachedPart


@dataclass(frozen=True)
class CompanionPart:
    name: str
    of: CachedPart
    program: str

    def version(self) -> str:
        return self.of.version()

    def expected(self) -> Path:
        return self.of.folder() / self.program

    def path(self) -> Path | None:
        program = self.expected()
        return program if program.is_file() else None

    def get(self) -> Path:
        self.of.get()
        return self.expected()
