"""One batch of lines on its way into InfluxDB, until each is written or known never to be.

Pure: it says what to send next and is told what came back. Everything may be sent again at any time,
since the same series and time overwrites.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from nodetide_core.store import Rejected
from nodetide_core.stores.influx.packed import Packed, compress, join, unpack
from nodetide_core.stores.influx.verdict import Kind, Verdict

__all__ = ["Settling"]

#: Failures of InfluxDB over the same lines after which one of them may be the cause.
_SUSPICIOUS = 4
#: How often a line must fail, with another one taken before and after, to be the cause.
_PROOFS = 3
#: Longest line that a reason quotes, and longest reason, in characters.
_QUOTED, _REASON = 120, 300


class Settling:
    """
    Attributes:
        written: lines that InfluxDB has taken.
    """

    def __init__(self, packed: Sequence[Packed]) -> None:
        self.written = 0
        self._rejected: list[Rejected] = []
        self._gave_up = False
        self._whole: tuple[Packed, ...] | None = tuple(packed)
        self._pieces: list[list[bytes]] = []  # the next to send is the last
        self._failures = 0
        self._trial: _Trial | None = None
        self._known: bytes | None = None  # a line over which InfluxDB did not fail

    @property
    def done(self) -> bool:
        return self._whole is None and not self._pieces

    @property
    def untouched(self) -> bool:
        """Whether nothing came of it yet: then a larger batch may take its place."""
        return not (self.written or self._gave_up or self._failures)

    @property
    def narrowing(self) -> bool:
        """Whether it is finding out if one line makes InfluxDB fail, which takes few short attempts."""
        return self._failures >= _SUSPICIOUS

    def body(self) -> bytes:
        """What to send next, gzipped."""
        if self._whole is not None:
            return join(self._whole)
        return compress(self._trial.line if self._trial else b"".join(self._pieces[-1]))

    def take_rejected(self) -> list[Rejected]:
        """Lines that InfluxDB never will take, with its reason, since the last call."""
        found, self._rejected = self._rejected, []
        return found

    def settle(self, verdict: Verdict) -> None:
        """Take in what came of the last `body`."""
        kind = verdict.kind
        if self._trial is not None and self._hear(self._trial, verdict):
            return
        if kind is Kind.FAILED:
            self._failures += 1
            if self.narrowing:
                self._narrow()
            return
        if kind is Kind.SENT:
            self.written += self._finish()
        elif kind is Kind.PARTIAL:
            # All of one hour, which lies in one shard: so the count is that of all (see the ADR).
            count = self._finish()
            lost = min(verdict.dropped, count)
            self.written += count - lost
            self._reject(verdict.reason, lost)
        elif kind is Kind.REJECTED:
            self._sort_out(verdict.reason)
        elif kind is Kind.TOO_LARGE:
            if len(self._lines()) > 1:
                self._halve()
            else:
                self._give_up(verdict.reason)

    def _finish(self) -> int:
        """Be done with the next piece; returns its lines."""
        # Where one line was suspected, the rest needs but one more failure to be looked into.
        self._failures = _SUSPICIOUS - 1 if self.narrowing else 0
        if self._whole is not None:
            count, self._whole = sum(packed.count for packed in self._whole), None
            return count
        self._known = self._pieces[-1][0]
        return len(self._pieces.pop())

    def _lines(self) -> list[bytes]:
        """The lines of the next piece, from now on kept apart."""
        if self._whole is not None:
            self._pieces.append([line for packed in self._whole for line in unpack(packed)])
            self._whole = None
        return self._pieces[-1]

    def _sort_out(self, message: str) -> None:
        """Give up the lines that the message names, or find them by halves."""
        lines = self._lines()
        good: list[bytes] = []
        for line in lines:
            reason = _reason_for(line, message)
            if reason is None:
                good.append(line)
            else:
                self._reject(reason, 1)
        if len(good) < len(lines):
            self._pieces[-1:] = [good] if good else []
        elif len(lines) == 1:
            self._give_up(message)
        else:
            self._halve()

    def _narrow(self) -> None:
        """Look for a line over which InfluxDB fails where it takes others: by halves, then by trial."""
        if len(self._lines()) > 1:
            self._halve()
        elif self._known is not None or len(self._pieces) > 1:
            self._trial = _Trial(self._pieces[-1][0], self._known or self._pieces[-2][0])
        else:
            self._gather()

    def _hear(self, trial: _Trial, verdict: Verdict) -> bool:
        """Take in what came of a turn of the trial; False if it is to be taken as outside of one."""
        if verdict.kind in (Kind.BUSY, Kind.DENIED, Kind.REFUSED):
            return True
        finding = trial.hear(verdict)
        if finding is _Finding.OPEN:
            return True
        self._trial = None
        if finding is _Finding.GUILTY:
            self._give_up(f"InfluxDB fails over this line, but not over others: {trial.reason}")
        elif finding is _Finding.UNKNOWN:
            self._gather()
        return finding is not _Finding.INNOCENT

    def _halve(self) -> None:
        lines = self._pieces.pop()
        middle = (len(lines) + 1) // 2
        self._pieces += [lines[middle:], lines[:middle]]

    def _gather(self) -> None:
        """The lines are not to blame: let them wait together again, turned so that next time others are tried."""
        lines = [line for piece in reversed(self._pieces) for line in piece]
        middle = (len(lines) + 1) // 3
        self._pieces = [lines[middle:] + lines[:middle]]
        self._failures = 0

    def _give_up(self, reason: str) -> None:
        (line,) = self._pieces.pop()
        shown = line.decode("utf-8", "replace").rstrip("\n")
        self._reject(f"{reason[:_REASON]} (line: {shown[:_QUOTED]!r})", 1)

    def _reject(self, reason: str, count: int) -> None:
        self._rejected.append(Rejected(reason, count))
        self._gave_up = True


class _Finding(Enum):
    OPEN = "open"
    GUILTY = "guilty"
    INNOCENT = "innocent"
    UNKNOWN = "unknown"


class _Trial:
    """Whether one line is what InfluxDB fails over: it and another are sent in turn, the other first
    and last, so that a server that fails and recovers by itself condemns no line."""

    def __init__(self, suspect: bytes, other: bytes) -> None:
        self._suspect = suspect
        self._other = other
        self._of_other = True
        self._proofs = 0
        self.reason = ""

    @property
    def line(self) -> bytes:
        return self._other if self._of_other else self._suspect

    def hear(self, verdict: Verdict) -> _Finding:
        if not self._of_other:
            if verdict.kind is not Kind.FAILED:
                return _Finding.INNOCENT
            self._proofs += 1
            self.reason = verdict.reason
        elif verdict.kind not in (Kind.SENT, Kind.PARTIAL):
            return _Finding.UNKNOWN
        elif self._proofs == _PROOFS:
            return _Finding.GUILTY
        self._of_other = not self._of_other
        return _Finding.OPEN


def _reason_for(line: bytes, message: str) -> str | None:
    """Why InfluxDB cannot parse the line, if its message names it."""
    text = line.decode("utf-8", "replace").removesuffix("\n")
    head = f"unable to parse '{text}': "
    at = message.find(head)
    if at < 0:
        return None
    reason = message[at + len(head) :].partition("\nunable to parse '")[0]
    return f"{reason[:_REASON]} (line: {text[:_QUOTED]!r})"
