"""Points of hosts with all that makes rollups hard, and how two stores' answers about them are compared."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from nodetide_core.points import Point, make_tags
from nodetide_core.store import Aggregate, Column, RangeQuery
from nodetide_core.tiers import Tier

__all__ = ["QUESTIONS", "Question", "Reads", "ask", "assert_same_answers", "make_points"]

_GAUGES = (Aggregate.MEAN, Aggregate.MIN, Aggregate.MAX, Aggregate.COUNT)
_COUNTERS = (Aggregate.LAST, Aggregate.INCREASE, Aggregate.RATE)


class Reads(Protocol):
    async def read(self, query: RangeQuery) -> list[Column]: ...


class Question(NamedTuple):
    measurement: str
    fields: tuple[str, ...]
    aggregates: tuple[Aggregate, ...]
    #: Of the values that are subtracted, for what rounding may do.
    scale: float = 0.0


QUESTIONS = (
    Question("system", ("load1", "n_cpus"), _GAUGES),
    Question("cpu", ("usage_user",), _GAUGES),
    Question("net", ("speed",), _GAUGES),
    Question("kernel", ("context_switches",), _COUNTERS),
    Question("net", ("bytes_recv",), _COUNTERS),
    Question("cpu", ("time_user",), _COUNTERS, 1e6),
)


def make_points(
    start: int, dice: random.Random, seconds: int = 7_200, intervals: Sequence[int] = (1, 7, 10, 60)
) -> Iterator[Point]:
    """Hosts that pause, restart and have odd tags; floats and integers, gauges and counters."""
    for host in ("a", "b,=c d", "é"):
        switches, busy, restart = dice.randrange(10**12), dice.random() * 1e6, dice.randrange(seconds)
        received = dice.randrange(2**62)
        pauses = [(dice.randrange(seconds), dice.randrange(20, 900)) for _ in "123"]
        for at in range(0, seconds, dice.choice(intervals)):
            if at >= restart:
                switches, busy, received, restart = at % 5, 0.25, 0, 10**9
            switches, busy, received = switches + dice.randrange(900), busy + dice.random(), received + 10**9
            if any(begin <= at < begin + length for begin, length in pauses):
                continue
            tags = make_tags({"host": host})
            yield Point("kernel", tags, {"context_switches": switches, "boot_time": 7}, start + at)
            yield Point("system", tags, {"load1": dice.random() * 100, "n_cpus": dice.randrange(64)}, start + at)
            for cpu in ("cpu0", "cpu-total"):
                fields = {"usage_user": dice.random() * 100, "time_user": busy}
                yield Point("cpu", make_tags({"host": host, "cpu": cpu}), fields, start + at)
            net = make_tags({"host": host, "interface": "eth0"})
            # By which upkeep finds passes that came late.
            yield Point("collector", make_tags({"host": host, "group": "all"}), {"success": 1}, start + at)
            yield Point("net", net, {"bytes_recv": received, "speed": dice.randrange(-1, 10_000)}, start + at)


def ask(
    store: Reads, bucket: str, tier: Tier, question: Question, aggregate: Aggregate,
    *, start: int, stop: int, step: int,
) -> list[Column]:  # fmt: skip
    query = RangeQuery(bucket, tier, question.measurement, question.fields, start, stop, step, aggregate)
    return asyncio.run(store.read(query))


def assert_same_answers(mine: Sequence[Column], theirs: Sequence[Column], scale: float = 0.0) -> None:
    assert [(c.key, c.field) for c in mine] == [(c.key, c.field) for c in theirs]
    for a, b in zip(mine, theirs, strict=True):
        assert (list(a.t), list(a.n)) == (list(b.t), list(b.n)), (a.key, a.field)
        for at, x, y in zip(a.t, a.v, b.v, strict=True):
            # What a float counter has grown by is a difference of large numbers.
            assert math.isclose(x, y, rel_tol=1e-12, abs_tol=scale * 1e-14), (a.key, a.field, at, x, y)
