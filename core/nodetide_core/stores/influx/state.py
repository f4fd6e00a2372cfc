"""What rolling up must remember, kept in the tiers' own buckets, where it lives and ends with them.

A watermark is a point at its own time, and so is a claim: upkeep will make what ends there, so the
task of the tier has nothing to do. A changed window is a point at its start, with a mark that grows
each time it changes, and the mark that was answered by making it again: so a change that comes while
its window is being made is never taken for done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from nodetide_core.store import Stream
from nodetide_core.stores.influx.answers import Rows, ask
from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.failures import check
from nodetide_core.stores.influx.influxql import Request
from nodetide_core.stores.influx.quoting import influxql_name
from nodetide_core.stores.influx.verdict import write_path
from nodetide_core.tiers import Tier

__all__ = [
    "CLAIM",
    "EVERYONE",
    "MEASUREMENT",
    "Mark",
    "Marker",
    "State",
    "StateKeeper",
    "Until",
    "until_of",
    "until_request",
]

#: The measurement, and the value of its tag ``state`` for a claim.
MEASUREMENT, CLAIM = "nodetide_rollup", "claim"
_WATERMARK = "watermark"
#: Of a mark, instead of a host: every series may have changed.
EVERYONE = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A window that changed after it was made, or may have.

    Attributes:
        host: whose series changed, or `EVERYONE`.
        number: grows with each change.
    """

    start: int
    host: str
    number: int


@dataclass(slots=True)
class State:
    """Of one stream, by a tier's window.

    Attributes:
        until: times up to which windows are made; absent before the first.
        marks: windows that must be made again.
        claimed: times up to which upkeep has taken windows from the tasks.
    """

    until: dict[int, int] = field(default_factory=dict)
    marks: dict[int, list[Mark]] = field(default_factory=dict)
    claimed: dict[int, int] = field(default_factory=dict)


class Marker:
    """Numbers for marks, ever growing, after a restart too."""

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        self._last = max(self._last + 1, self._clock())
        return self._last


class Until(NamedTuple):
    """Of one tier; 0 where there is none.

    Attributes:
        made: the watermark.
        claimed: the newest claim.
    """

    made: int
    claimed: int


def until_request(stream: Stream) -> Request:
    """The watermarks and claims of all tiers, a statement for each."""
    return Request(stream.bucket, "; ".join(_until(tier.bucket(stream.bucket)) for tier in stream.tiers.rollups), {})


def until_of(answer: Iterable[Rows]) -> Until:
    """What a statement of `until_request` tells."""
    found = {dict(rows.key.tags).get("state"): int(rows.values[0][1]) for rows in answer}
    return Until(found.get(_WATERMARK, 0), found.get(CLAIM, 0))


def _until(bucket: str) -> str:
    where = f"\"state\"::tag = '{_WATERMARK}' OR \"state\"::tag = '{CLAIM}'"
    source = f"{influxql_name(bucket)}..{influxql_name(MEASUREMENT)}"
    return f'SELECT last("until") FROM {source} WHERE {where} GROUP BY "state"'  # noqa: S608


def _marks(bucket: str, oldest: int) -> str:
    where = f"\"state\"::tag = 'changed' AND time >= {oldest}s"
    source = f"{influxql_name(bucket)}..{influxql_name(MEASUREMENT)}"
    return f'SELECT "number", "answered" FROM {source} WHERE {where} GROUP BY "of"'  # noqa: S608


class StateKeeper:
    """Reads and writes the state, through one caller."""

    def __init__(self, caller: Caller, org: str) -> None:
        self._caller = caller
        self._org = org

    def load(self, stream: Stream, oldest: Mapping[int, int]) -> State:
        """
        Args:
            oldest: by a tier's window, the first window that can still be made.

        Raises:
            StoreUnavailable, StoreRejected
        """
        rollups = stream.tiers.rollups
        texts = [
            text
            for tier in rollups
            for text in (
                _until(tier.bucket(stream.bucket)),
                _marks(tier.bucket(stream.bucket), oldest[tier.window]),
            )
        ]
        answers = ask(self._caller, Request(stream.bucket, "; ".join(texts), {}), doing="reading what is rolled up")
        state = State()
        for tier, until, marked in zip(rollups, answers[::2], answers[1::2], strict=True):
            made, state.claimed[tier.window] = until_of(until)
            if made:
                state.until[tier.window] = made
            state.marks[tier.window] = sorted(
                (
                    Mark(start, dict(rows.key.tags).get("of", EVERYONE), number)
                    for rows in marked
                    for start, number, answered in rows.values
                    if number is not None and number > (answered or 0)
                ),
                key=lambda mark: (mark.start, mark.host),
            )
        return state

    def mark(self, stream: Stream, tier: Tier, marks: Iterable[Mark]) -> None:
        """Have windows made again.

        Raises:
            StoreUnavailable, StoreRejected
        """
        self._write(stream, tier, [_line(mark, "number") for mark in marks])

    def done(self, stream: Stream, tier: Tier, marks: Iterable[Mark], until: int | None) -> None:
        """Remember what was made.

        Args:
            until: the new watermark, if it moves.
        """
        lines = [_line(mark, "answered") for mark in marks]
        if until is not None:
            lines.append(f"{MEASUREMENT},state={_WATERMARK} until={until}i {until}")
        self._write(stream, tier, lines)

    def claim(self, stream: Stream, tier: Tier, until: int) -> None:
        """Take the windows up to a time from the task, before it looks."""
        self._write(stream, tier, [f"{MEASUREMENT},state={CLAIM} until={until}i {until}"])

    def _write(self, stream: Stream, tier: Tier, lines: list[str]) -> None:
        if not lines:
            return
        bucket = tier.bucket(stream.bucket)
        reply = self._caller.exchange("POST", write_path(self._org, bucket), "\n".join(lines).encode())
        if reply.status != 422:  # a window past the retention of its tier needs no mark
            check(reply, f"remembering what of {bucket} is rolled up")


def _line(mark: Mark, field: str) -> str:
    of = f",of={_escaped(mark.host)}" if mark.host else ""
    return f"{MEASUREMENT}{of},state=changed {field}={mark.number}i {mark.start}"


def _escaped(text: str) -> str:
    return text.translate(_TAG)


_TAG = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
