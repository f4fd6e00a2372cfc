"""What all generators do with what they have made: write it, or say which files are out of date."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["ROOT", "check", "stale", "write", "write_or_check"]

ROOT = Path(__file__).resolve().parent.parent


def write_or_check(wanted: Mapping[Path, str], arguments: list[str]) -> int:
    """The exit code of a generator that takes ``--check`` and nothing else."""
    if arguments == ["--check"]:
        return check(wanted)
    write(wanted)
    return 0


def stale(wanted: Mapping[Path, str]) -> list[Path]:
    """Files that do not hold what they should."""
    return [path for path, text in wanted.items() if not path.is_file() or path.read_text() != text]


def check(wanted: Mapping[Path, str]) -> int:
    """Say which files are out of date; 1 if any."""
    found = stale(wanted)
    for path in found:
        print(f"{_named(path)} is out of date; run `make docs`", file=sys.stderr)
    return 1 if found else 0


def write(wanted: Mapping[Path, str]) -> None:
    for path in stale(wanted):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])
        print(f"wrote {_named(path)}")


def _named(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
