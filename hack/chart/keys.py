"""The keys of ``values.yaml``, with what the comments above them say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from hack.chart.kinds import kind_of

__all__ = ["Key", "UndescribedKey", "keys_of"]

_LINE = re.compile(r"(?P<indent> *)(?P<name>[A-Za-z][\w.-]*):( |$)")


class UndescribedKey(Exception):
    """A key has no comment above it."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that holds a value, and not more keys.

    Attributes:
        path: with dots.
        default: as the file has it.
        schema: JSON schema of the value.
    """

    path: str
    default: Any
    description: str
    schema: Mapping[str, Any]


def keys_of(text: str) -> list[Key]:
    """
    Raises:
        UndescribedKey
    """
    described = dict(_comments(text))
    found = []
    for path, default in _leaves(yaml.safe_load(text), ()):
        joined = ".".join(path)
        if not described.get(path):
            raise UndescribedKey(f"{joined}: say what it is for, in a comment above it")
        found.append(Key(joined, default, described[path], kind_of(joined, default)))
    return found


def _leaves(values: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in values.items():
        here = (*path, name)
        if isinstance(value, dict) and kind_of(".".join(here), value) == {}:
            yield from _leaves(value, here)
        else:
            yield here, value


def _comments(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The comment right above each key, by path."""
    stack: list[tuple[int, str]] = []
    above: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            above.append(line.lstrip().removeprefix("#").strip())
            continue
        if match := _LINE.match(line):
            indent = len(match["indent"])
            stack = [(depth, name) for depth, name in stack if depth < indent]
            stack.append((indent, match["name"]))
            yield tuple(name for _, name in stack), " ".join(above)
        above = []
