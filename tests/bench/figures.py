"""A figure, beside a peer's from the same run, and how it is printed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Figure", "median", "table"]


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        bar: what it is held to, in words; machines are noisy, so it is printed and never asserted.
        met: whether this run met it; None where there is no bar.
    """

    name: str
    unit: str
    ours: float
    peer: str = ""
    theirs: float | None = None
    bar: str = ""
    met: bool | None = None

    @property
    def ratio(self) -> float | None:
        return None if not self.theirs else self.ours / self.theirs


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def table(figures: Sequence[Figure]) -> str:
    """A Markdown table, as docs/benchmarks.md holds it."""
    rows = [("Figure", "Nodetide", "Peer", "Ratio", "Bar", "Met")]
    for figure in figures:
        rows.append(
            (
                figure.name,
                f"{figure.ours:.3g} {figure.unit}".strip(),
                f"{figure.theirs:.3g} {figure.unit} ({figure.peer})"
                if figure.theirs is not None
                else figure.peer or "",
                f"{figure.ratio:.3g}" if figure.ratio is not None else "",
                figure.bar,
                {True: "yes", False: "NO", None: ""}[figure.met],
            )
        )
    wide = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, wide, strict=True)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in wide) + "|")
    return "\n".join(lines)
