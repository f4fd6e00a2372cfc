"""Whatever was seen before, all is asked for, once."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.stores.influx.portions import Pace, Portion, halves

WINDOW = 300
_portions = st.builds(
    lambda hosts, measurements, start, windows: Portion(
        tuple(f"h{i}" for i in range(hosts)),
        tuple(f"m{i}" for i in range(measurements)),
        start * WINDOW,
        (start + windows) * WINDOW,
    ),
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(0, 5),
    st.integers(1, 9),
)


def cells(portion: Portion) -> Counter[tuple[str, str, int]]:
    starts = range(portion.start, portion.stop, WINDOW)
    return Counter((host, name, at) for host in portion.hosts for name in portion.measurements for at in starts)


@given(_portions, st.integers(1, 100_000), st.lists(st.integers(0, 10**6), max_size=30))
def test_what_is_cut_and_what_is_left_is_all(whole, values, seen):
    pace, waiting, asked = Pace(values), [whole], Counter[tuple[str, str, int]]()
    while waiting:
        portion, rest = pace.cut("b", waiting.pop(), WINDOW)
        waiting += rest
        asked += cells(portion)
        pace.saw("b", portion, seen.pop() if seen else 0)
    assert asked == cells(whole)


def test_answers_come_to_the_size_aimed_at() -> None:
    pace, whole = Pace(90_000), Portion(tuple(map(str, range(100))), ("m",), 0, WINDOW)
    first, rest = pace.cut("b", whole, WINDOW)
    assert len(first.hosts) == 1
    pace.saw("b", first, 30 * WINDOW)
    then, _ = pace.cut("b", rest[-1], WINDOW)
    assert len(then.hosts) == 10
    pace.saw("b", then, 10 * 1 * WINDOW)
    long, _ = pace.cut("b", Portion(("a", "b"), ("m",), 0, 1_000 * WINDOW), WINDOW)
    assert (long.hosts, long.stop) == (("a",), 300 * WINDOW)


@given(_portions)
def test_halves_are_whole_windows_and_end(whole):
    waiting, found, rounds = [whole], Counter[tuple[str, str, int]](), 0
    while waiting:
        rounds += 1
        parts = halves(waiting.pop(), WINDOW)
        if len(parts) == 1:
            (part,) = parts
            assert (len(part.hosts), len(part.measurements), part.stop - part.start) == (1, 1, WINDOW)
            found += cells(part)
        else:
            waiting += parts
    assert found == cells(whole)
