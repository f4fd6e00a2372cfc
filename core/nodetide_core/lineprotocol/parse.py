"""Line protocol to points, strictly: what InfluxDB would refuse is refused here, with the column."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from nodetide_core.errors import LineProtocolError
from nodetide_core.points import Point, Value

__all__ = ["parse", "parse_line"]

_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_FLOAT = re.compile(r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$")
_INT = re.compile(r"^[+-]?[0-9]+$")
_BOOLS = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), False),
}


def parse(text: str, precision: str = "s") -> Iterator[Point]:
    """Points of a document, lazily; blank lines and comments are skipped.

    Raises:
        LineProtocolError: at the first line that is wrong.
    """
    for line in _split_lines(text):
        stripped = line.strip(" \t\r")
        if stripped and not stripped.startswith("#"):
            yield parse_line(stripped, precision)


def parse_line(line: str, precision: str = "s") -> Point:
    """The point of one line; its time is rounded down to whole seconds.

    Raises:
        LineProtocolError: with the column and what was expected.
    """
    scan = _Scanner(line)
    measurement = scan.token(", ", escapes=", ", what="a measurement")
    tags: dict[str, str] = {}
    while scan.take(","):
        key = scan.token("=", escapes=",= ", what="a tag key")
        scan.expect("=", "'=' after the tag key")
        if key in tags:
            scan.fail(f"tag {key!r} stands twice")
        tags[key] = scan.token(", ", escapes=",= ", what="a tag value")
    scan.expect(" ", "a space before the fields")
    scan.skip(" ")
    fields: dict[str, Value] = {}
    while True:
        key = scan.token("=", escapes=",= ", what="a field key")
        scan.expect("=", "'=' after the field key")
        fields[key] = (
            scan.string() if scan.peek() == '"' else _value(scan, scan.token(", ", escapes="", what="a value"))
        )
        if not scan.take(","):
            break
    time = 0
    if scan.peek():
        scan.expect(" ", "a space before the time")
        scan.skip(" ")
        text = scan.rest()
        if not _INT.match(text):
            scan.fail("the time is not a whole number")
        time = int(text) // _PER_SECOND[precision]
    return Point(measurement, tuple(sorted(tags.items())), fields, time)


def _value(scan: _Scanner, text: str) -> Value:
    if text in _BOOLS:
        return _BOOLS[text]
    if text[-1] in "iu" and _INT.match(text[:-1]):
        number = int(text[:-1])
        low, high = (-(2**63), 2**63 - 1) if text[-1] == "i" else (0, 2**64 - 1)
        if not low <= number <= high:
            scan.fail(f"{text} does not fit in 64 bits")
        return number
    if _FLOAT.match(text):
        value = float(text)
        if math.isfinite(value):
            return value
    return scan.fail(f"{text!r} is not a number, a boolean or a quoted string")


def _split_lines(text: str) -> Iterator[str]:
    """Lines, where a newline inside a quoted string value does not end one."""
    start, quoted, escaped, in_fields = 0, False, False, False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == " " and not quoted:
            in_fields = True
        elif char == '"' and in_fields:
            quoted = not quoted
        elif char == "\n" and not quoted:
            yield text[start:index]
            start, in_fields = index + 1, False
    yield text[start:]


class _Scanner:
    """A position in a line."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.at = 0

    def peek(self) -> str:
        return self.line[self.at : self.at + 1]

    def take(self, char: str) -> bool:
        if self.peek() != char:
            return False
        self.at += 1
        return True

    def skip(self, char: str) -> None:
        while self.take(char):
            pass

    def expect(self, char: str, what: str) -> None:
        if not self.take(char):
            self.fail(f"expected {what}")

    def rest(self) -> str:
        text = self.line[self.at :]
        self.at = len(self.line)
        return text

    def token(self, ends: str, *, escapes: str, what: str) -> str:
        """Text up to an unescaped end character, unescaped; a backslash before others stays."""
        line, at, out = self.line, self.at, []
        while at < len(line) and line[at] not in ends:
            if line[at] == "\\" and line[at + 1 : at + 2] and line[at + 1] in escapes:
                at += 1
            out.append(line[at])
            at += 1
        self.at = at
        if not out:
            self.fail(f"expected {what}")
        return "".join(out)

    def string(self) -> str:
        """A quoted string; the position is on its opening quote."""
        line, at, out = self.line, self.at + 1, []
        while at < len(line) and line[at] != '"':
            if line[at] == "\\" and line[at + 1 : at + 2] in ('"', "\\"):
                at += 1
            out.append(line[at])
            at += 1
        if at >= len(line):
            self.fail("the string has no closing quote")
        self.at = at + 1
        return "".join(out)

    def fail(self, reason: str) -> Value:
        raise LineProtocolError(reason, self.at + 1, self.line)
