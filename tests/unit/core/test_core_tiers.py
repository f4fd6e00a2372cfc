from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nodetide_core.tiers import (
    DEFAULT_TIERS,
    Choice,
    Segment,
    Tier,
    Tiers,
    align_down,
    align_up,
    choose,
    describe,
    segments,
)

DAY = 86_400
NOW = 1_763_880_123
RAW, FIVE, HOUR, DAILY = DEFAULT_TIERS.tiers


@st.composite
def tier_lists(draw: st.DrawFn) -> Tiers:
    """Tiers as a valid policy has them: windows ever wider, each a multiple of the one before."""
    retention = st.just(0) | st.integers(3600, 1000 * DAY)
    found = [Tier("raw", 0, draw(retention))]
    window = 1
    for index in range(draw(st.integers(0, 4))):
        window *= draw(st.integers(2, 60))
        found.append(Tier(f"t{index}", window, draw(retention)))
    return Tiers(tuple(found))


times = st.integers(NOW - 2000 * DAY, NOW + 10 * DAY)
intervals = st.integers(1, 3600)
steps = st.none() | st.integers(1, 40 * DAY)


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**7))
def test_alignment(time: int, window: int):
    down, up = align_down(time, window), align_up(time, window)
    assert down % window == up % window == 0
    assert down <= time <= up
    assert up - down == (window if time % window else 0)


@given(tier_lists(), times, st.integers(0, 2000 * DAY), intervals, steps, st.integers(1, 2000))
def test_what_is_chosen_can_answer(tiers: Tiers, start: int, span: int, interval: int, step: int | None, points: int):
    choice = choose(tiers, start, start + span, now=NOW, interval=interval, step=step, points=points)
    # Whole windows, never finer than the samples or than what was asked for.
    assert choice.step >= 1
    assert choice.step % max(1, choice.tier.window) == 0
    assert choice.step >= interval
    assert step is None or choice.step >= step
    # A tier that holds the start, unless none does; then the one that goes back farthest.
    if any(tier.holds(start, NOW) for tier in tiers.tiers):
        assert choice.tier.holds(start, NOW)
    else:
        assert choice.tier.retention == max(tier.retention for tier in tiers.tiers)
    # Where the limit is ours to keep, it is kept: so many full steps, at most.
    if step is None:
        assert span / choice.step <= points


@given(tier_lists(), times, st.integers(1, 2000 * DAY), intervals, st.integers(1, 40 * DAY))
def test_the_widest_tier_that_fits_the_step_answers(tiers: Tiers, start: int, span: int, interval: int, step: int):
    choice = choose(tiers, start, start + span, now=NOW, interval=interval, step=step, points=1000)
    wanted = max(step, interval)
    fitting = [t for t in tiers.tiers if t.holds(start, NOW) and (t.window == 0 or wanted % t.window == 0)]
    assert not fitting or choice.tier == fitting[-1]


@given(tier_lists(), times, st.integers(0, 2000 * DAY), intervals, st.integers(1, 40 * DAY))
def test_a_step_asked_for_is_given_where_some_tier_that_holds_the_start_can(
    tiers: Tiers, start: int, span: int, interval: int, step: int
):
    choice = choose(tiers, start, start + span, now=NOW, interval=interval, step=step, points=1000)
    wanted = max(step, interval)
    exact = [t for t in tiers.tiers if t.holds(start, NOW) and (t.window == 0 or wanted % t.window == 0)]
    assert (choice.step == wanted) or not exact


@pytest.mark.parametrize(
    ("start", "stop", "step", "expected"),
    [
        # `auto` aims at 1,000 points.
        (NOW - 300, NOW, None, Choice(RAW, 1)),
        (NOW - 3600, NOW, None, Choice(RAW, 5)),
        (NOW - 20 * 3600, NOW, None, Choice(RAW, 120)),
        # A quarter of them will do where a wider tier has so many.
        (NOW - 21 * 3600, NOW, None, Choice(FIVE, 300)),
        (NOW - DAY, NOW, None, Choice(FIVE, 300)),
        (NOW - DAY - 1, NOW, None, Choice(FIVE, 300)),
        (NOW - 7 * DAY, NOW, None, Choice(FIVE, 900)),
        (NOW - 8 * DAY, NOW, None, Choice(HOUR, 3600)),
        (NOW - 30 * DAY, NOW, None, Choice(HOUR, 3600)),
        (NOW - 31 * DAY, NOW, None, Choice(DAILY, DAY)),
        (NOW - 365 * DAY, NOW, None, Choice(DAILY, DAY)),
        # Older than everything that is kept: the tier that goes back farthest.
        (NOW - 4000 * DAY, NOW, None, Choice(DAILY, 604_800)),
        (NOW - 4000 * DAY, NOW - 3999 * DAY, 60, Choice(DAILY, DAY)),
        # A step asked for is answered by the widest tier whose windows it is made of.
        (NOW - 3600, NOW, 7, Choice(RAW, 7)),
        (NOW - 3600, NOW, 300, Choice(FIVE, 300)),
        (NOW - 3600, NOW, 301, Choice(RAW, 301)),
        (NOW - 3600, NOW, 7200, Choice(HOUR, 7200)),
        (NOW - 3 * DAY, NOW, 1, Choice(FIVE, 300)),
        (NOW - 3 * DAY, NOW, 450, Choice(FIVE, 600)),
        # Nothing wide, nothing past, and the time to come.
        (NOW, NOW, None, Choice(RAW, 1)),
        (NOW + 3600, NOW + 7200, None, Choice(RAW, 5)),
        (NOW + 3600, NOW + 3600, 300, Choice(FIVE, 300)),
    ],
)
def test_choices_of_the_default_tiers(start: int, stop: int, step: int | None, expected: Choice):
    assert choose(DEFAULT_TIERS, start, stop, now=NOW, interval=1, step=step, points=1000) == expected


def test_one_tier_alone_answers_everything():
    only = Tiers((Tier("raw", 0, 3600),))
    for start in (NOW - 10 * DAY, NOW - 60, NOW, NOW + 60):
        assert choose(only, start, NOW + 120, now=NOW, interval=10, step=1, points=5) == Choice(only.raw, 10)


def test_a_tier_kept_for_ever_holds_everything():
    tiers = Tiers((Tier("raw", 0, 3600), Tier("5m", 300, 0), Tier("1h", 3600, DAY)))
    assert tiers.tiers[1].holds(0, NOW) and tiers.tiers[1].holds(-1, NOW)
    assert choose(tiers, 0, NOW, now=NOW, interval=1, step=300, points=10) == Choice(tiers.tiers[1], 300)


@pytest.mark.parametrize(("time", "holds"), [(NOW, True), (NOW - 60, True), (NOW - 61, False), (NOW + 99, True)])
def test_the_edge_of_the_retention_is_held(time: int, holds: bool):
    assert Tier("raw", 0, 60).holds(time, NOW) is holds


@given(tier_lists(), st.data(), st.integers(-1000, 10**6), st.integers(0, 10**6))
def test_segments_cover_the_range_exactly_once(tiers: Tiers, data: st.DataObject, start: int, span: int):
    tier = data.draw(st.sampled_from(tiers.tiers))
    marks = data.draw(st.dictionaries(st.sampled_from([t.name for t in tiers.tiers]), st.integers(-2000, 3 * 10**6)))
    found = segments(tiers, Choice(tier, max(1, tier.window)), start, start + span, marks)
    assert bool(found) == (span > 0)
    at = start
    for segment in found:
        assert segment.start == at < segment.stop
        at = segment.stop
    assert not found or at == start + span
    # Ever finer, no tier twice, none wider than the one chosen, and none beyond what is rolled up.
    order = [tiers.tiers.index(segment.tier) for segment in found]
    assert order == sorted(set(order), reverse=True)
    assert all(index <= tiers.tiers.index(tier) for index in order)
    assert all(s.tier.window == 0 or s.stop <= marks[s.tier.name] for s in found)


@given(tier_lists(), st.integers(0, 10**6), st.integers(1, 10**6), st.data())
def test_each_part_is_read_as_wide_as_it_can_be(tiers: Tiers, start: int, span: int, data: st.DataObject):
    tier = data.draw(st.sampled_from(tiers.tiers))
    marks = {t.name: data.draw(st.integers(0, 2 * 10**6)) for t in tiers.rollups}
    at = data.draw(st.integers(start, start + span - 1))
    (segment,) = (
        s
        for s in segments(tiers, Choice(tier, max(1, tier.window)), start, start + span, marks)
        if s.start <= at < s.stop
    )
    allowed = tiers.tiers[: tiers.tiers.index(tier) + 1]
    assert segment.tier == [t for t in allowed if t.window == 0 or at < marks[t.name]][-1]


def test_segments_reach_to_now_from_the_widest_tier_down():
    marks = {"1d": 10 * DAY, "1h": 10 * DAY + 7200, "5m": 10 * DAY + 7500}
    stop = 10 * DAY + 7777
    assert segments(DEFAULT_TIERS, Choice(DAILY, DAY), 8 * DAY, stop, marks) == (
        Segment(DAILY, 8 * DAY, 10 * DAY),
        Segment(HOUR, 10 * DAY, 10 * DAY + 7200),
        Segment(FIVE, 10 * DAY + 7200, 10 * DAY + 7500),
        Segment(RAW, 10 * DAY + 7500, stop),
    )
    assert segments(DEFAULT_TIERS, Choice(DAILY, DAY), 0, DAY, {}) == (Segment(RAW, 0, DAY),)
    assert segments(DEFAULT_TIERS, Choice(RAW, 1), 5, 5, {}) == ()


@given(tier_lists())
def test_a_tier_is_made_from_the_one_before_it(tiers: Tiers):
    assert (tiers.raw, *tiers.rollups) == tiers.tiers
    for before, tier in zip(tiers.tiers, tiers.rollups, strict=False):
        assert tiers.source(tier) == before
    assert all(tiers.by_name(tier.name) == tier for tier in tiers.tiers)
    assert tiers.by_name("none") is None


@given(tier_lists(), st.sampled_from(["a", "a-t0", "b"]))
def test_each_tier_has_its_own_bucket(tiers: Tiers, base: str):
    buckets = [tier.bucket(base) for tier in tiers.tiers]
    assert buckets[0] == base
    assert len(set(buckets)) == len(buckets)


def test_names_for_people():
    assert describe(DEFAULT_TIERS) == "raw 1d, 5m 7d, 1h 30d, 1d 365d"
    assert describe(Tiers((Tier("raw", 0, 0),))) == "raw for ever"


@given(tier_lists(), times, st.integers(1, 100 * DAY))
def test_auto_never_gives_less_than_it_must(tiers: Tiers, start: int, span: int):
    """Where raw holds the start, half the step would be too many points, or finer than the samples."""
    assume(tiers.raw.holds(start, NOW))
    choice = choose(tiers, start, start + span, now=NOW, interval=1, step=None, points=1000)
    # The steps of `auto` are at most seven times apart: a day and a week.
    assert choice.step == 1 or span / choice.step >= 1000 / 7.001
