"""When data may go, and how late a point may come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.stores.retention import due_edge, first_whole_window, oldest_accepted
from nodetide_core.tiers import RAW, Tier, Tiers, align_down

DAY = 86_400
TIERS = Tiers((Tier(RAW, 0, DAY), Tier("5m", 300, 7 * DAY), Tier("1h", 3_600, 0)), counter_gap=400)
RAW_TIER, FIVE, HOUR = TIERS.tiers
NOW = 20_000 * DAY + 1_234


def test_raw_goes_after_its_retention_and_the_counter_gap_in_whole_windows():
    edge = due_edge(TIERS, RAW_TIER, NOW, rolled=NOW, pending=None)
    assert edge == align_down(NOW - DAY, 300) - 600


def test_nothing_goes_before_it_is_rolled_up_again():
    assert due_edge(TIERS, RAW_TIER, NOW, rolled=None, pending=None) is None
    behind = NOW - 3 * DAY
    assert due_edge(TIERS, RAW_TIER, NOW, rolled=align_down(behind, 300), pending=None) == align_down(behind, 300) - 600
    assert due_edge(TIERS, FIVE, NOW, rolled=NOW, pending=NOW - 8 * DAY) == align_down(NOW - 8 * DAY, 3_600)


def test_tiers_keep_what_the_next_needs_whole():
    assert due_edge(TIERS, FIVE, NOW, rolled=NOW, pending=None) == align_down(NOW - 7 * DAY, 3_600)


def test_infinite_retention_keeps():
    assert due_edge(TIERS, HOUR, NOW, rolled=None, pending=None) is None


def test_the_last_tier_goes_by_its_own_windows():
    last = Tiers((RAW_TIER, Tier("5m", 300, DAY)), counter_gap=60)
    assert due_edge(last, last.tiers[1], NOW, rolled=None, pending=None) == align_down(NOW - DAY, 300)
    alone = Tiers((RAW_TIER,), counter_gap=60)
    assert due_edge(alone, RAW_TIER, NOW, rolled=None, pending=None) == NOW - DAY - 60


def test_a_point_may_be_as_late_as_raw_is_kept():
    assert oldest_accepted(TIERS, NOW, {}) == NOW - DAY
    for_ever = Tiers((Tier(RAW, 0, 0), FIVE))
    assert oldest_accepted(for_ever, NOW, {}) == 0


def test_a_point_is_too_late_where_a_source_is_gone_in_part():
    assert oldest_accepted(TIERS, NOW, {"5m": NOW - 100}) == align_down(NOW - 100, 3_600) + 3_600
    # A clock set back does not bring back what is gone.
    assert oldest_accepted(TIERS, NOW - 2 * DAY, {"raw": NOW - DAY}) > NOW - DAY


_tiers = st.builds(
    lambda first, factor, raw, one, two, gap: Tiers(
        (Tier(RAW, 0, raw), Tier("one", first, one), Tier("two", first * factor, two)), counter_gap=gap
    ),
    st.integers(1, 600), st.integers(2, 24), st.integers(0, 9_000), st.integers(0, 90_000), st.integers(0, 90_000),
    st.integers(1, 900),
)  # fmt: skip


@given(_tiers, st.integers(10**6, 10**7), st.integers(0, 10**4))
def test_every_point_accepted_finds_its_windows_whole(tiers, now, later):
    """At any later time, too: an edge never passes what a point accepted now would need."""
    edges = {}
    for tier in tiers.tiers[:-1]:
        after = tiers.tiers[tiers.tiers.index(tier) + 1]
        edge = due_edge(tiers, tier, now + later, rolled=align_down(now + later, after.window), pending=None)
        if edge is not None:
            edges[tier.name] = edge
            assert edge % after.window == 0
            assert tier.retention and edge <= now + later - tier.retention
    oldest = oldest_accepted(tiers, now, edges)
    raw, one, two = tiers.tiers
    assert align_down(oldest, one.window) - tiers.counter_gap >= edges.get(RAW, -tiers.counter_gap)
    assert align_down(oldest, two.window) >= edges.get(one.name, 0)
    assert not raw.retention or oldest >= now - raw.retention


@given(_tiers, st.integers(0, 10**6))
def test_the_first_whole_window_has_all_its_source(tiers, edge):
    for source, tier in zip(tiers.tiers, tiers.rollups, strict=False):
        start = first_whole_window(tiers, source, tier.window, edge)
        assert start % tier.window == 0
        needed = edge + (tiers.counter_gap if source.window == 0 else 0)
        assert needed <= start < needed + tier.window
