"""From a question to the reads that answer it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_api.filters import Filters, parse_filters
from nodetide_api.history import parse_step, plan_history
from nodetide_api.plan import MAX_POINTS, MAX_VALUES, queries, require_size
from nodetide_core.catalogue import select
from nodetide_core.errors import QueryError
from nodetide_core.store import Stream
from nodetide_core.tiers import Tier, Tiers, align_down

NOW = 1_772_355_600
STREAM = Stream("system-metrics", "system-metrics")
ALL = Filters()


def plan(start, stop=NOW + 1, metric="cpu", agg="mean", step=None, max_points=None, stream=STREAM, filters=ALL):
    return plan_history(
        stream,
        select(metric),
        agg,
        filters,
        start=start,
        stop=stop,
        now=NOW,
        step=step,
        max_points=max_points,
        default_points=1000,
    )


def marks(tiers: Tiers, lag: int = 0) -> dict[str, int]:
    return {tier.name: align_down(NOW, tier.window) - lag * tier.window for tier in tiers.rollups}


@pytest.mark.parametrize(
    ("span", "tier", "step"),
    [
        (300, "raw", 1),
        (3600, "raw", 5),
        (72_000, "raw", 120),
        (86_400, "5m", 300),
        (86_402, "5m", 300),
        (7 * 86_400, "5m", 900),
        (30 * 86_400, "1h", 3600),
        (365 * 86_400, "1d", 86_400),
    ],
)
def test_the_tier_and_the_step_of_each_range(span, tier, step):
    found = plan(NOW + 1 - span)
    assert (found.choice.tier.name, found.choice.step) == (tier, step)


@given(
    st.integers(1, 400 * 86_400),
    st.integers(0, 40 * 86_400),
    st.one_of(st.none(), st.integers(1, 7 * 86_400)),
    st.integers(0, 3),
)
def test_reads_cover_the_range_once_and_in_order_and_only_with_what_each_tier_holds(span, age, step, lag):
    """Whatever is asked, every second from start to stop is read from exactly one tier, a coarse one never
    past its watermark."""
    stop = NOW + 1 - age
    try:
        found = plan(max(0, stop - span), stop, step=step)
    except QueryError as error:
        assert error.parameter == "step"
        return
    watermarks = marks(STREAM.tiers, lag)
    reads = queries(found, found.reads[0], watermarks)
    assert reads[0].start == found.start
    assert reads[-1].stop == stop
    for one, two in pairwise(reads):
        assert one.stop == two.start
        assert one.tier.window > two.tier.window
    for read in reads:
        assert read.start < read.stop
        assert read.step % max(1, read.tier.window) == 0, "no window is split between two steps"
        assert read.tier.window == 0 or read.stop <= watermarks[read.tier.name]
    assert found.start % found.choice.step == 0
    if step is None:
        assert found.steps <= 1001


def test_without_any_rollup_yet_everything_is_read_raw():
    found = plan(NOW - 30 * 86_400)
    assert [read.tier.name for read in queries(found, found.reads[0], {})] == ["raw"]


def test_a_range_older_than_everything_kept_is_cut_so_that_steps_suit_what_there_is():
    everything = plan(0)
    assert everything.choice.step == 86_400
    assert everything.start == align_down(NOW - 365 * 86_400, 86_400)
    gone = plan(0, 1000)
    assert (gone.start, gone.stop) == (0, 1000)


def test_what_is_kept_for_ever_is_not_cut():
    stream = Stream("s", "s", Tiers((Tier("raw", 0, 86_400), Tier("1d", 86_400, 0))))
    assert plan(0, stream=stream).start == 0


def test_counters_and_gauges_of_one_metric_are_read_apart():
    found = plan(NOW - 60, metric="net")
    by_aggregate = {read.aggregate.value: read.fields for read in found.reads}
    assert by_aggregate["mean"] == ("speed",)
    assert "bytes_recv" in by_aggregate["rate"]


@pytest.mark.parametrize(
    ("metric", "agg", "aggregate"),
    [(metric, agg, agg) for metric in ("cpu",) for agg in ("mean", "min", "max", "last", "count")]
    + [("network", agg, result) for agg, result in (("mean", "rate"), ("rate", "rate"), ("last", "last"))]
    + [("network", "increase", "increase")],
)
def test_every_allowed_aggregate(metric, agg, aggregate):
    assert [read.aggregate.value for read in plan(NOW - 60, metric=metric, agg=agg).reads] == [aggregate]


@pytest.mark.parametrize(
    ("metric", "agg"),
    [
        ("cpu", "rate"),
        ("cpu", "increase"),
        ("network", "min"),
        ("network", "max"),
        ("network", "count"),
        ("net", "min"),
    ],
)
def test_every_other_combination_says_what_is_allowed(metric, agg):
    with pytest.raises(QueryError, match="allowed: mean") as caught:
        plan(NOW - 60, metric=metric, agg=agg)
    assert caught.value.parameter == "agg"


def test_text_has_no_history():
    with pytest.raises(QueryError, match="is text") as caught:
        plan(NOW - 60, metric="collector.policy_hash")
    assert caught.value.parameter == "metric"


def test_points_are_about_a_thousand_unless_asked():
    assert plan(NOW - 86_399).steps <= 1001
    assert plan(NOW - 86_399, max_points=50).steps <= 51
    assert plan(NOW - 86_399, max_points=MAX_POINTS).choice.step == 1
    assert plan(NOW - 86_399, step=1).steps == 86_400


def test_a_step_finer_than_max_points_allows_is_refused_with_the_least_that_works():
    with pytest.raises(QueryError, match="at least 4s") as caught:
        plan(NOW - 3599, step=1, max_points=1000)
    assert caught.value.parameter == "step"
    assert plan(NOW - 3599, step=4, max_points=1000).steps <= 1001, "one more where the range does not start on a step"


def test_an_empty_range_is_refused():
    with pytest.raises(QueryError, match="before end_time"):
        plan(NOW, NOW)


def test_an_absurd_answer_is_refused_by_the_parameter_that_made_it_so():
    found = plan(NOW - 3600)
    require_size(found, MAX_VALUES // found.steps)
    with pytest.raises(QueryError) as caught:
        require_size(found, MAX_VALUES // found.steps + 1)
    assert caught.value.parameter == "max_points"
    with pytest.raises(QueryError) as caught:
        plan(NOW - 86_000, metric="mem", step=1)
    assert caught.value.parameter == "step"


def test_equal_questions_make_equal_plans():
    one = plan(NOW - 60, filters=parse_filters(["a,b"], ["cpu:cpu0", "x:y"]))
    two = plan(NOW - 60, filters=parse_filters(["b", "a"], ["x:y", "cpu:cpu0"]))
    assert one == two
    assert hash(one) == hash(two)


def test_a_tag_from_an_alias_and_the_same_tag_asked_for_are_one_question():
    asked = parse_filters(["a"], ["path:/", "zone:b"])
    assert parse_filters(["a"], ["zone:b"]).narrowed([("path", "/")]) == asked
    assert parse_filters(["a"], ["path:/"]).narrowed([("zone", "b"), ("path", "ignored")]) == asked


@pytest.mark.parametrize(("text", "seconds"), [("auto", None), ("30", 30), ("30s", 30), ("5m", 300), ("1d", 86_400)])
def test_steps(text, seconds):
    assert parse_step(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-5m", "1.5", "fast", "٣", "9" * 11])
def test_what_is_no_step_is_refused(text):
    with pytest.raises(QueryError) as caught:
        parse_step(text)
    assert caught.value.parameter == "step"


@pytest.mark.parametrize("text", ["cpu", "cpu:", ":cpu0", ""])
def test_a_tag_filter_is_a_name_and_a_value(text):
    with pytest.raises(QueryError) as caught:
        parse_filters([], [text])
    assert caught.value.parameter == "tag"


def test_a_tag_value_may_hold_colons():
    assert parse_filters([], ["path:/mnt/a:b"]).as_mapping() == {"path": frozenset({"/mnt/a:b"})}
