"""Which windows are made, and when they are made again."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.store import Stream
from nodetide_core.stores.influx.due import (
    SETTLE,
    Run,
    advance_with_tasks,
    changed_by,
    claims,
    next_run,
    oldest_windows,
    wider_marks,
    windows_due,
)
from nodetide_core.stores.influx.flux import LOOK_BACK
from nodetide_core.stores.influx.late import suspects
from nodetide_core.stores.influx.state import EVERYONE, Mark, Marker, State
from nodetide_core.tiers import RAW, Tier, Tiers, align_down

TIERS = Tiers((Tier(RAW, 0, 7_200), Tier("1m", 60, 86_400), Tier("5m", 300, 0)), counter_gap=60)
STREAM = Stream("p", "b", TIERS)
SPANS = {60: 4, 300: 4}
T = 1_800_000_000 - 1_800_000_000 % 300


def carried_out(state: State, run: Run, number: int) -> None:
    """What rolling does to the state."""
    wider = wider_marks(STREAM, run, state, number)
    if wider is not None:
        state.marks.setdefault(wider[0].window, []).extend(wider[1])
        state.marks[wider[0].window].sort(key=lambda mark: (mark.start, mark.host))
    window = run.tier.window
    state.marks[window] = [mark for mark in state.marks.get(window, []) if mark not in run.marks]
    if run.ended:
        state.until[window] = run.stop


@given(
    st.integers(0, 40),
    st.sets(st.tuples(st.integers(0, 39), st.sampled_from(["", "a", "b"])), max_size=12),
    st.integers(SETTLE, 3_600),  # a watermark is never less than the settling time behind
)
def test_every_window_that_ended_or_changed_is_made_once_its_source_is_complete(made, changed, elapsed):
    state = State({60: T + 60 * made, 300: align_down(T + 60 * made, 300)})
    marks = [Mark(T + 60 * at, host, 1) for at, host in sorted(changed)]
    state.marks[60] = marks
    now = T + 60 * made + elapsed
    until = dict(state.until)
    runs: list[Run] = []
    while (run := next_run(STREAM, state, now, spans=SPANS)) is not None:
        assert sum(windows_due(STREAM, state, now).values()) > 0
        assert 0 < run.stop - run.start <= 4 * run.tier.window
        assert run.start % run.tier.window == run.stop % run.tier.window == 0
        source_until = now - SETTLE if run.tier.window == 60 else state.until[60]
        assert run.stop <= source_until
        runs.append(run)
        carried_out(state, run, 2)
        assert len(runs) < 200
    assert sum(windows_due(STREAM, state, now).values()) == 0
    assert state.until == {
        60: max(until[60], align_down(now - SETTLE, 60)),
        300: max(until[300], align_down(state.until[60], 300)),
    }
    for mark in marks:
        covering = [r for r in runs if r.tier.window == 60 and r.start <= mark.start < r.stop]
        if mark.start < state.until[60]:
            assert any(not r.hosts or mark.host in r.hosts for r in covering)
            wide = align_down(mark.start, 300)
            if wide < state.until[300]:
                assert any(r.tier.window == 300 and r.start <= wide < r.stop for r in runs)


def test_what_changed_is_made_for_the_hosts_that_changed_unless_they_are_too_many() -> None:
    few = State({60: T + 600}, {60: [Mark(T, "a", 1), Mark(T, "b", 1)]})
    assert next_run(STREAM, few, T + 600, spans=SPANS) == Run(
        TIERS.tiers[1], T, T + 60, frozenset("ab"), tuple(few.marks[60]), ended=False
    )
    many = State({60: T + 600}, {60: [Mark(T, f"h{n}", 1) for n in range(51)]})
    assert next_run(STREAM, many, T + 600, spans=SPANS).hosts == frozenset()
    everyone = State({60: T + 600}, {60: [Mark(T, EVERYONE, 1), Mark(T, "b", 1)]})
    assert next_run(STREAM, everyone, T + 600, spans=SPANS).hosts == frozenset()


def test_a_watermark_moves_with_the_tasks_as_long_as_none_was_missed() -> None:
    def moved(until: int, succeeded: int, now: int = T + 700) -> dict[int, int]:
        return advance_with_tasks(STREAM, State({60: until}), now, {60: succeeded})

    assert moved(T, T + 120) == {60: T + 120}  # they look back two windows
    assert moved(T, T + 130) == {60: T + 120}
    assert moved(T, T + 180) == {}
    assert moved(T + 300, T + 120) == {}
    assert moved(T + 600, T + 1_200) == {60: T + 660}  # never past now
    assert advance_with_tasks(STREAM, State(), T + 700, {60: T + 60}) == {}


def test_windows_whose_source_is_gone_are_let_be() -> None:
    assert oldest_windows(STREAM, T + 7_200) == {60: T + 60, 300: align_down(T + 7_200 - 86_400, 300)}
    assert oldest_windows(replace(STREAM, tiers=Tiers((Tier(RAW, 0, 0), TIERS.tiers[1]))), T) == {60: 0}
    state = State({60: T - 60_000})
    run = next_run(STREAM, state, T + 7_200, spans=SPANS)
    assert run is not None
    assert run.start == T + 60


@given(st.integers(0, 900), st.booleans(), st.integers(0, 900))
def test_points_change_their_window_and_counters_the_step_after(at, has_counter, now):
    found = changed_by(STREAM, [(T + at, "a", has_counter)], T + now)
    reach = {T + at, T + at + (60 if has_counter else 0)}
    expected = {(align_down(time, 60), "a") for time in reach if align_down(time, 60) + 60 <= T + now}
    assert found == expected


def test_a_stream_without_tiers_has_nothing_to_make() -> None:
    assert changed_by(replace(STREAM, tiers=Tiers((TIERS.raw,))), [(T, "a", True)], T + 999) == set()


def test_marks_grow_even_if_the_clock_does_not() -> None:
    times = iter([5, 5, 3, 9])
    marker = Marker(lambda: next(times))
    assert [marker.next() for _ in range(4)] == [5, 6, 7, 9]


def test_only_windows_that_are_not_full_are_suspect() -> None:
    rolled = {("a", T): 60, ("a", T + 60): 60, ("b", T): 60, ("b", T + 60): 59, ("a", T + 120): 60}
    assert suspects(rolled, T, T + 240, 60, 60) == [(T + 60, T + 240)]
    assert suspects(rolled, T, T + 60, 60, 60) == []
    assert suspects({}, T, T + 120, 60, 60) == [(T, T + 120)]


@given(st.lists(st.sampled_from(["works", "ends", "fails", "is away"]), min_size=1, max_size=30), st.booleans())
def test_whatever_becomes_of_upkeep_no_window_is_taken_for_made_that_is_not(fates, begun):
    """Upkeep claims what ended before the task looks, and then makes it, ends, or fails over it; or it is away."""
    state = State({60: T} if begun else {})
    made: set[int] = set()
    succeeded = 0
    for number, fate in enumerate(fates, start=1):
        end = T + 60 * number
        if fate != "is away":
            state.claimed |= claims(STREAM, state, end)
        if state.claimed.get(60) != end:
            made |= set(range(end - LOOK_BACK * 60, end, 60))
        succeeded = end
        if fate in ("works", "fails"):
            advance_with_tasks(STREAM, state, end + SETTLE, {60: succeeded})
            if 60 not in state.until:
                state.until[60] = T
            if fate == "works":
                made |= set(range(state.until[60], end, 60))
                state.until[60] = end
        for_readers = max(state.until.get(60, T), succeeded if succeeded > state.claimed.get(60, 0) else 0)
        assert made >= set(range(T, for_readers, 60))
        # What nobody made is made a window later.
        assert made >= set(range(T, end - 60, 60))
