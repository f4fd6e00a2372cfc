"""Points to batches of lines. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from nodetide_collector.sinks.influx.frames import Batch
from nodetide_core.lineprotocol import Encoder
from nodetide_core.points import Point
from nodetide_core.stores.influx.packed import pack

__all__ = ["make_batches"]

_HOUR = 3600


def make_batches(encoder: Encoder, points: Sequence[Point], max_lines: int) -> Iterator[Batch]:
    """The points as batches, each of one hour and of at most so many lines."""
    if not points:
        return
    times = {point.time for point in points}
    first, last = min(times), max(times)
    if first // _HOUR == last // _HOUR:
        yield from _of_one_hour(encoder, points, first, last, max_lines)
        return
    hours: dict[int, list[Point]] = defaultdict(list)
    for point in points:
        hours[point.time // _HOUR].append(point)
    for _, some in sorted(hours.items()):
        yield from make_batches(encoder, some, max_lines)


def _of_one_hour(encoder: Encoder, points: Sequence[Point], first: int, last: int, max_lines: int) -> Iterator[Batch]:
    lines = encoder.lines(points)
    for start in range(0, len(lines), max_lines):
        some = lines[start : start + max_lines]
        text = "\n".join(some)
        if text.count("\n") < len(some):
            yield _batch(text, len(some), first, last)
            continue
        # A newline in a string is data: such a line goes alone, so that lines can be told apart.
        plain = [line for line in some if "\n" not in line]
        if plain:
            yield _batch("\n".join(plain), len(plain), first, last)
        for line in some:
            if "\n" in line:
                yield _batch(line, 1, first, last)


def _batch(text: str, count: int, first: int, last: int) -> Batch:
    return Batch(pack(f"{text}\n".encode(), count), first, last)
