from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from nodetide_collector.clock import Instant
from nodetide_collector.schedule import STEP, Timeline, count_due, decide, is_due

INTERVALS = st.sets(st.integers(1, 60), min_size=1, max_size=4)
START = Instant(1_700_000_000.3, 50.0)


@dataclass
class World:
    """A loop driven by `decide`, with what it did."""

    intervals: set[int]
    wall: float = START.wall
    mono: float = START.monotonic
    ticks: list[int] = field(default_factory=list)
    walls: list[float] = field(default_factory=list)
    missed: int = 0
    steps: list[float] = field(default_factory=list)
    longest_wait: float = 0.0
    decisions: int = 0

    def __post_init__(self) -> None:
        self.timeline = Timeline.starting(Instant(self.wall, self.mono))

    def pass_time(self, seconds: float, late: float = 0.0) -> None:
        """The loop runs for so long, each wait ending `late` seconds too late."""
        end = self.mono + seconds
        while self.mono < end:
            wait = self.turn()
            if wait is not None:
                self.sleep(min(wait + late, end - self.mono))

    def turn(self) -> float | None:
        self.decisions += 1
        decision = decide(self.timeline, Instant(self.wall, self.mono), self.intervals)
        self.timeline = decision.timeline
        self.missed += decision.missed
        if decision.stepped:
            self.steps.append(decision.stepped)
        if decision.tick is not None:
            self.ticks.append(decision.tick)
            self.walls.append(self.wall)
            return None
        self.longest_wait = max(self.longest_wait, decision.wait)
        return decision.wait

    def sleep(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds


def due_seconds(start: int, stop: int, intervals: set[int]) -> list[int]:
    return [second for second in range(start, stop) if any(second % k == 0 for k in intervals)]


@settings(deadline=None)
@given(st.integers(0, 5_000), st.sampled_from([0, 1, 50, 65_535, 65_536, 70_000]), INTERVALS)
def test_count_due_is_what_counting_gives(start: int, length: int, intervals: set[int]) -> None:
    assert count_due(start, start + length, intervals) == len(due_seconds(start, start + length, intervals))


def test_count_due_of_a_year() -> None:
    year = 31_536_000
    assert count_due(0, year, {1, 7}) == year
    assert count_due(0, year, {10, 60, 3600}) == year // 10
    assert count_due(0, year, {2, 3}) == year // 2 + year // 3 - year // 6


@settings(deadline=None)
@given(INTERVALS, st.floats(0, 0.9))
def test_every_due_second_is_sampled_exactly_once(intervals: set[int], late: float) -> None:
    world = World(intervals)
    world.pass_time(130, late)
    begin, end = math.floor(START.wall) + 1, math.floor(world.wall)
    expected = due_seconds(begin, end, intervals)
    assert [tick for tick in world.ticks if tick < end] == expected
    assert world.missed == 0


@settings(deadline=None)
@given(INTERVALS, st.lists(st.floats(0, 200), min_size=1, max_size=12))
def test_what_a_stall_swallows_is_counted_and_not_made_up(intervals: set[int], stalls: list[float]) -> None:
    world = World(intervals)
    for stall in stalls:
        world.pass_time(7)
        world.sleep(stall)
    world.pass_time(61)
    assert all(tick == math.floor(wall) for tick, wall in zip(world.ticks, world.walls, strict=True))
    assert len(set(world.ticks)) == len(world.ticks)
    due = due_seconds(math.floor(START.wall) + 1, world.ticks[-1] + 1, intervals)
    assert world.missed == len(set(due) - set(world.ticks))


@settings(deadline=None)
@given(INTERVALS, st.lists(st.floats(0, 200), min_size=1, max_size=12))
def test_a_window_has_one_sample_at_most_and_a_late_one_rather_than_none(
    intervals: set[int], stalls: list[float]
) -> None:
    world = World(intervals)
    for stall in stalls:
        world.pass_time(7)
        world.sleep(stall)
    world.pass_time(61)
    last: dict[int, int] = {}
    for tick in world.ticks:
        sampled = [k for k in intervals if is_due(tick, last.get(k, math.floor(START.wall)), k)]
        assert sampled, "a tick at which nothing is due"
        last.update(dict.fromkeys(sampled, tick))
    now = math.floor(world.wall)
    for interval, tick in last.items():
        assert tick // interval >= now // interval - 1


def test_a_second_that_was_missed_is_sampled_late_in_its_window() -> None:
    world = World({10}, wall=100.5)
    world.pass_time(5)
    world.sleep(6.7)
    world.pass_time(20)
    assert (world.ticks, world.missed) == ([112, 120, 130], 1)


STEPS = st.floats(STEP + 0.1, 1e8).flatmap(lambda size: st.sampled_from([size, -size]))


@settings(deadline=None)
@given(INTERVALS, st.lists(STEPS, min_size=1, max_size=6))
def test_a_step_of_the_wall_clock_is_seen_once_and_survived(intervals: set[int], steps: list[float]) -> None:
    world = World(intervals)
    widest = max(intervals)
    for step in steps:
        world.pass_time(2 * widest)
        before, decisions, missed = len(world.ticks), world.decisions, world.missed
        world.wall += step
        world.pass_time(2 * widest)
        new = world.ticks[before:]
        assert new, "no tick for two whole intervals after a step"
        assert all(b > a for a, b in pairwise(new))
        assert world.missed == missed, "seconds that never were are not missed"
        assert world.decisions - decisions <= 3 * 2 * widest + 10, "busy"
    assert len(world.steps) == len(steps)
    assert world.longest_wait <= widest + STEP + 1


@settings(deadline=None)
@given(INTERVALS, st.lists(st.floats(-0.4, 0.4), max_size=50))
def test_small_shifts_are_followed_without_a_second_sampled_twice(intervals: set[int], shifts: list[float]) -> None:
    world = World(intervals)
    for shift in shifts:
        world.pass_time(1.1)
        world.wall += shift
        if math.fabs((world.wall - world.mono) - world.timeline.offset) > STEP:
            world.turn()
    assert world.longest_wait <= max(intervals) + 2 * STEP
    assert all(tick == math.floor(wall) for tick, wall in zip(world.ticks, world.walls, strict=True))


def test_a_suspend_is_missed_time_since_both_clocks_go_on() -> None:
    world = World({1})
    world.pass_time(3)
    world.sleep(3_600)
    world.pass_time(2)
    assert world.steps == []
    assert 3_598 <= world.missed <= 3_600


def test_ticks_do_not_drift() -> None:
    world = World({1})
    world.pass_time(5_000, late=0.013)
    assert max(wall % 1 for wall in world.walls) < 0.1


def test_force_ticks_at_the_next_second_and_counts_nothing_for_it() -> None:
    start = Timeline.starting(Instant(7_200.4, 0.0))
    waiting = decide(start, Instant(7_200.4, 0.0), {3_600}, force=True)
    assert waiting.tick is None
    assert math.isclose(waiting.wait, 0.6, abs_tol=1e-6)
    due = decide(start, Instant(7_201.0, 0.6), {3_600}, force=True)
    assert (due.tick, due.missed) == (7_201, 0)


def test_without_any_group_there_is_no_tick() -> None:
    decision = decide(Timeline(100, 0.0), Instant(200.5, 200.5), ())
    assert decision.tick is None
    assert 0 < decision.wait <= 1


def test_what_comes_after_a_time_without_any_group_has_missed_nothing_of_it() -> None:
    idle = decide(Timeline(100, 0.0), Instant(200.5, 200.5), ())
    decision = decide(idle.timeline, Instant(201.0, 201.0), {1}, force=True)
    assert (decision.tick, decision.missed) == (201, 0)
