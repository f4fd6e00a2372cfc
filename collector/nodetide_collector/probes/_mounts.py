"""The kernel's table of mounts (``/proc/<pid>/mountinfo``, proc(5)), as data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Mount", "parse_mountinfo", "unescape", "visible"]

_ESCAPE = re.compile(rb"\\([0-7]{3})")
_BEFORE_OPTIONAL = 6
_AFTER_OPTIONAL = 3
#: Options of a file system that can no longer be written; ext4 has a word of its own for it since Linux 6.15.
_MADE_READ_ONLY = frozenset({b"ro", b"emergency_ro"})


class Mount(NamedTuple):
    """One line of the table; names are bytes, because they need not be UTF-8.

    Attributes:
        device: ``major:minor``, the same for every mount of a file system.
        root: the folder of the file system that is mounted: ``/``, or another for a bind mount.
        read_only: whether the mount or the file system is; a file system that met an error turns
            read-only beneath its mounts.
        forced: whether it is so though the mount itself may be written: the kernel did it.
    """

    device: bytes
    root: bytes
    path: bytes
    source: bytes
    fstype: str
    read_only: bool
    forced: bool


def unescape(text: bytes) -> bytes:
    r"""Undoes the kernel's octal escapes of space, tab, newline, ``#`` and backslash (``\040``)."""
    if b"\\" not in text:
        return text
    return _ESCAPE.sub(lambda match: bytes((int(match[1], 8) & 0xFF,)), text)


def parse_mountinfo(data: bytes) -> tuple[list[Mount], int]:
    """Mounts in the order of the table, and the number of lines that were malformed."""
    mounts: list[Mount] = []
    malformed = 0
    for line in data.split(b"\n"):
        if not line:
            continue
        left, separator, right = line.partition(b" - ")
        head, tail = left.split(b" "), right.split(b" ")
        if not separator or len(head) < _BEFORE_OPTIONAL or len(tail) < _AFTER_OPTIONAL or not head[4] or not tail[0]:
            malformed += 1
            continue
        mounted_so = b"ro" in head[5].split(b",")
        made_so = not _MADE_READ_ONLY.isdisjoint(tail[2].split(b","))
        mounts.append(
            Mount(
                head[2],
                unescape(head[3]),
                unescape(head[4]),
                unescape(tail[1]),
                tail[0].decode("utf-8", "replace"),
                mounted_so or made_so,
                made_so and not mounted_so,
            )
        )
    return mounts, malformed


def visible(mounts: Iterable[Mount]) -> list[Mount]:
    """Without those that a later mount at the same path hides."""
    return list({mount.path: mount for mount in mounts}.values())
