"""Counting states in the kernel's table of TCP sockets."""

from __future__ import annotations

from collections import Counter

__all__ = ["count_states"]

_HEX = {digit: int(digit, 16) for digit in (b"%X" % number for number in range(1, 16))}
_STATE_COLUMN = 3


def count_states(lines: bytes, into: Counter[int]) -> int:
    """Adds the states of whole lines of ``/proc/net/tcp`` or ``tcp6``, without the heading.

    Returns:
        How many lines were malformed and are not counted.
    """
    at = _fixed_column(lines)
    if at is None:
        return _one_by_one(lines, into)
    width = lines.find(b"\n") + 1
    count = len(lines) // width
    counted = 0
    # A state is below 16: its second digit says all, if the first is a 0.
    low = lines[at + 1 :: width]
    for digit, state in _HEX.items():
        if number := low.count(digit):
            into[state] += number
            counted += number
    return count - counted


def _fixed_column(lines: bytes) -> int | None:
    """Where the state stands when all lines are alike, as the kernel pads those of IPv4; else None."""
    width = lines.find(b"\n") + 1
    if not width or len(lines) % width:
        return None
    count = len(lines) // width
    if lines.count(b"\n") != count or lines[width - 1 :: width].count(b"\n") != count:
        return None
    at = _state_at(lines[:width])
    if at is None:
        return None
    # Line numbers of one digit more push the state to the right.
    blank = (lines[at - 1 :: width], lines[at + 2 :: width])
    uniform = all(column.count(b" ") == count for column in blank) and lines[at::width].count(b"0") == count
    return at if uniform else None


def _state_at(line: bytes) -> int | None:
    """The state's place: behind the line's number, the local and the remote address."""
    parts = line.split(None, _STATE_COLUMN + 1)
    if len(parts) <= _STATE_COLUMN or len(parts[_STATE_COLUMN]) != 2:
        return None
    return line.find(b" " + parts[_STATE_COLUMN] + b" ") + 1


def _one_by_one(lines: bytes, into: Counter[int]) -> int:
    malformed = 0
    for line in lines.split(b"\n"):
        if line:
            try:
                into[int(line.split(None, _STATE_COLUMN + 1)[_STATE_COLUMN], 16)] += 1
            except (ValueError, IndexError):
                malformed += 1
    return malformed
