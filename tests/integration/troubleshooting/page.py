"""What docs/troubleshooting.md says that people see, row by row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["PAGE", "Row", "row", "rows"]

PAGE = Path(__file__).resolve().parents[3] / "docs" / "troubleshooting.md"
_CELL = re.compile(r"(?<!\\)\|")
_WORDS = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Row:
    """
    Attributes:
        sees: the first cell.
        words: what it says that is printed, `…` being anything.
    """

    sees: str
    cause: str
    remedy: str

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(_WORDS.findall(self.sees))

    def missing(self, text: str, *without: str) -> list[str]:
        """The words that a text does not hold, but for those that are said of something else."""
        told = " ".join(text.split())
        asked = [words for words in self.words if words not in without]
        assert asked, f"nothing is quoted: {self.sees}"
        return [words for words in asked if not re.search(_pattern(words), told)]


def _pattern(words: str) -> str:
    return ".*?".join(map(re.escape, words.split("…")))


@cache
def rows() -> tuple[Row, ...]:
    """Of all tables."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = ([cell.strip() for cell in _CELL.split(line)[1:-1]] for line in lines)
    return tuple(Row(*found) for found in cells if found[0] not in ("You see", "---"))


def row(words: str) -> Row:
    """The only one whose first cell holds these words."""
    found = [row for row in rows() if words in row.sees]
    assert len(found) == 1, f"{len(found)} rows of {PAGE.name} say {words!r}"
    return found[0]
