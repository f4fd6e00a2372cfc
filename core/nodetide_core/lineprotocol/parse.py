"""Line protocol to points, strictly: what InfluxDB would refuse is refused here, with the column."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Literal, NoReturn

from nodetide_core.errors import LineProtocolError
from nodetide_core.points import Point, Value

__all__ = ["parse", "parse_line"]

_NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
#: InfluxDB keeps two of the 64-bit times, the least and the greatest, to itself.
_TIME_MIN, _TIME_MAX = -(2**63) + 2, 2**63 - 2
_BOOLS = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), True),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), False),
}

# All are used with match() or fullmatch(), and none can backtrack for more than linear time.
_BETWEEN = re.compile(r"(?:[ \t\r]*(?:#[^\n]*)?\n)*[ \t\r]*(?:#[^\n]*\Z)?")
_MEASUREMENT = re.compile(r"(?:[^\\, \n]+|\\[, ]?)*")
_KEY = re.compile(r"(?:[^\\,= \n]+|\\[,= ]?)*")
_TAG_VALUE = re.compile(r"(?:[^\\,= \n]+|\\[,= ]?)*")
_BARE = re.compile(r"[^, \t\r\n]*")
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_SPACES = re.compile(r" *")
_BLANKS = re.compile(r"[ \t\r]*")
_ESCAPED = re.compile(r"\\([,= ])")
_ESCAPED_IN_MEASUREMENT = re.compile(r"\\([, ])")
_ESCAPED_IN_STRING = re.compile(r'\\(["\\])')
_FLOAT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_INT = re.compile(r"[+-]?[0-9]{1,40}")


def parse(text: str, precision: Literal["s", "ms", "us", "ns"] = "s") -> Iterator[Point]:
    """Points of a document, lazily; blank lines and comments are skipped.

    Raises:
        LineProtocolError: at the first line that is wrong.
    """
    at = 0
    while True:
        scan = _Scanner(text, at)
        scan.match(_BETWEEN)
        if scan.at == len(text):
            return
        yield scan.point(_NANOSECONDS[precision])
        at = scan.at


def parse_line(line: str, precision: Literal["s", "ms", "us", "ns"] = "s") -> Point:
    """The point of one line; its time is rounded down to whole seconds, and 0 where it has none.

    Raises:
        LineProtocolError: with the column and what was expected.
    """
    scan = _Scanner(line, 0)
    scan.match(_BLANKS)
    point = scan.point(_NANOSECONDS[precision])
    scan.match(_BETWEEN)
    if scan.at < len(line):
        scan.fail("expected one line")
    return point


class _Scanner:
    """A position in a text of lines."""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at

    def point(self, nanoseconds: int) -> Point:
        """The point that begins here; the position is then behind its line."""
        measurement = self.name(_MEASUREMENT, _ESCAPED_IN_MEASUREMENT, "a measurement")
        tags: dict[str, str] = {}
        while self.take(","):
            at = self.at
            key = self.name(_KEY, _ESCAPED, "a tag key")
            if key in tags:
                self.fail(f"tag {key!r} stands twice", at)
            self.expect("=", "'=' after the tag key")
            tags[key] = self.name(_TAG_VALUE, _ESCAPED, "a tag value")
        self.expect(" ", "a space before the fields")
        self.match(_SPACES)
        fields: dict[str, Value] = {}
        while True:
            key = self.name(_KEY, _ESCAPED, "a field key")
            self.expect("=", "'=' after the field key")
            fields[key] = self.string() if self.peek() == '"' else self.number()
            if not self.take(","):
                break
        time = self.time(nanoseconds) if self.take(" ") else 0
        self.match(_BLANKS)
        if self.at < len(self.text):
            self.expect("\n", "the end of the line")
        return Point(measurement, tuple(sorted(tags.items())), fields, time)

    def name(self, pattern: re.Pattern[str], escaped: re.Pattern[str], what: str) -> str:
        """Text up to an unescaped end character, unescaped; a backslash before others stays."""
        text = self.match(pattern)
        if not text:
            self.fail(f"expected {what}")
        return escaped.sub(r"\1", text) if "\\" in text else text

    def string(self) -> str:
        """A quoted string, which may go on over lines; the position is on its opening quote."""
        at = self.at
        text = self.match(_STRING)[1:]
        if not self.take('"'):
            self.fail("the string has no closing quote", at)
        return _ESCAPED_IN_STRING.sub(r"\1", text) if "\\" in text else text

    def number(self) -> Value:
        at = self.at
        text = self.match(_BARE)
        if text in _BOOLS:
            return _BOOLS[text]
        if text[-1:] in ("i", "u") and _INT.fullmatch(text, 0, len(text) - 1):
            number = int(text[:-1])
            low, high = (-(2**63), 2**63 - 1) if text[-1] == "i" else (0, 2**64 - 1)
            if low <= number <= high:
                return number
            self.fail(f"{text} does not fit in 64 bits", at)
        if _FLOAT.fullmatch(text):
            value = float(text)
            if math.isfinite(value):
                return value
        return self.fail(f"{text!r} is not a number, a boolean or a quoted string" if text else "expected a value", at)

    def time(self, nanoseconds: int) -> int:
        """Whole seconds, rounded down; the position is behind the space before it."""
        self.match(_SPACES)
        at = self.at
        text = self.match(_BARE)
        if not text:
            return 0
        if not _INT.fullmatch(text):
            self.fail("the time is not a whole number", at)
        time = int(text) * nanoseconds
        if not _TIME_MIN <= time <= _TIME_MAX:
            self.fail("the time is not between the years 1677 and 2262", at)
        return time // 1_000_000_000

    def match(self, pattern: re.Pattern[str]) -> str:
        """What ``pattern``, which may match nothing, matches here; the position is then behind it."""
        found = pattern.match(self.text, self.at)
        text = found[0] if found else ""
        self.at += len(text)
        return text

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, char: str) -> bool:
        if self.peek() != char:
            return False
        self.at += 1
        return True

    def expect(self, char: str, what: str) -> None:
        if not self.take(char):
            self.fail(f"expected {what}")

    def fail(self, reason: str, at: int | None = None) -> NoReturn:
        at = self.at if at is None else at
        start = self.text.rfind("\n", 0, at) + 1
        end = self.text.find("\n", at)
        raise LineProtocolError(reason, at - start + 1, self.text[start : end if end >= 0 else None])
