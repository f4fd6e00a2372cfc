"""Pieces of CEL, Kubernetes' expression language.

Only what every Kubernetes since 1.29 knows is used: no ``cel.bind`` and no two-variable
comprehensions, which came later.
"""

from __future__ import annotations

from collections.abc import Iterable

from nodetide_core.durations import DURATION_PATTERN

__all__ = ["given", "is_duration", "let", "seconds", "strings", "text"]

_UNITS = "p.endsWith('w') ? 604800 : p.endsWith('d') ? 86400 : p.endsWith('h') ? 3600 : p.endsWith('m') ? 60 : 1"


def text(value: str) -> str:
    """The literal of a string."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def strings(values: Iterable[str]) -> str:
    """The literal of a list of strings."""
    return f"[{', '.join(map(text, values))}]"


def given(path: str) -> str:
    """True where a field of ``self`` is there, and all that leads to it: ``groups.cpu.interval``.

    CEL takes a null for absent.
    """
    names = path.split(".")
    return " && ".join(f"has(self.{'.'.join(names[: end + 1])})" for end in range(len(names)))


def is_duration(value: str) -> str:
    """True where the string is written as a duration."""
    return f"{value}.matches({text(DURATION_PATTERN)})"


def seconds(value: str) -> str:
    """The seconds of a duration, as `nodetide_core.durations.parse_duration` counts them.

    Parts have at most nine digits, so that none overflows, even in a text that is no duration.
    """
    parts = f"{value}.findAll('[0-9]{{1,9}}[wdhms]')"
    return f"{parts}.map(p, int(p.substring(0, size(p) - 1)) * ({_UNITS})).sum()"


def let(name: str, value: str, body: str) -> str:
    """True where the condition ``body`` holds with ``name`` standing for ``value``, which is computed once."""
    return f"[{value}].all({name}, {body})"
