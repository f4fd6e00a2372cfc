"""What alerts ask, and that the answer is what the raw samples of the window say."""

from __future__ import annotations

import asyncio
import math
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contracts.store_contract import Clock, memory_directory, roll

from nodetide_core.alerts.asking import Patience, answers
from nodetide_core.alerts.questions import FluxText, Look, Silence, question_of
from nodetide_core.points import Point, make_tags
from nodetide_core.policy.spec import Level
from nodetide_core.store import Aggregate, Stream
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.tiers import RAW, Tier, Tiers

EPOCH = 20_000 * 86_400
TIERS = Tiers((Tier(RAW, 0, 3_600), Tier("1m", 60, 6 * 3_600), Tier("5m", 300, 0)), counter_gap=60)
STREAM = Stream("p", "p", TIERS)
HOST = make_tags({"host": "a"})
ABOVE = Level("above", (0,))


@pytest.fixture
def ask(policy, cpu):
    def question(at=EPOCH, **more):
        (alert,) = policy(cpu(**more)).alerts
        return question_of(STREAM, alert, at)

    return question


def test_a_window_is_asked_in_steps_that_end_with_it(ask):
    look = ask(EPOCH + 90, filter={"host": "a", "cpu": "cpu-total"})
    assert look == Look(
        "p", TIERS.raw, "cpu", EPOCH + 30, EPOCH + 90, 30, Aggregate.MEAN, (("cpu", "cpu-total"), ("host", "a"))
    )
    query = look.query(frozenset({"usage_idle", "usage_active"}))
    assert query.fields == ("usage_active", "usage_idle")
    assert query.tags == {"cpu": frozenset({"cpu-total"}), "host": frozenset({"a"})}
    assert ask(EPOCH + 120).step == 60
    assert ask(EPOCH + 77).step == 1


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(at=st.integers(1, 10**6), every=st.integers(5, 3_600), window=st.integers(1, 3_600), ahead=st.booleans())
def test_steps_always_fit(policy, cpu, at, every, window, ahead):
    more = {"predictAfter": "1h"} if ahead else {}
    (alert,) = policy(cpu(every=f"{every}s", window=f"{window}s", **more)).alerts
    look = question_of(STREAM, alert, at * every)
    assert look.stop - look.start == window
    if look.tier.window:
        assert ahead and look.step % look.tier.window == 0 and 30 * look.step <= window
        return
    assert window % look.step == look.start % look.step == look.stop % look.step == 0
    if ahead:
        assert look.step == 1 or window / look.step >= 30
        assert question_of(STREAM, alert, (at + 1) * every).step == look.step


def test_a_window_beyond_the_raw_retention_is_asked_of_a_tier(ask):
    assert ask(window="1h").tier.name == RAW
    look = ask(window="61m")
    assert (look.tier.name, look.step % 60) == ("1m", 0)
    assert ask(EPOCH + 30, window="61m").step == 60
    assert ask(window="7h").tier.name == "5m"


def test_a_line_through_hours_is_laid_through_the_windows_of_a_tier(ask):
    look = ask(window="30m", predictAfter="4h")
    assert (look.tier.name, look.step) == ("1m", 60)
    assert ask(window="29m", predictAfter="4h").tier.name == RAW
    assert ask(window="150m", predictAfter="4h").tier.name == "5m"
    assert ask(window="30m").tier.name == RAW


def test_a_counter_is_asked_for_its_rate(ask):
    assert ask(metric="net.bytes_recv").aggregate is Aggregate.RATE
    assert ask(aggregate="max").aggregate is Aggregate.MAX


def test_a_deadman_looks_back_a_day_or_as_far_as_points_go(policy, ask):
    look = ask(type="deadman", metric="cpu", critical={}, filter={"cpu": "cpu0"})
    assert look == Silence("p", "cpu", None, EPOCH - 3_600, EPOCH, (("cpu", "cpu0"),))
    (alert,) = policy({"name": "a", "type": "deadman", "metric": "cpu.usage_idle", "window": "20h"}).alerts
    kept = Stream("p", "p", Tiers((Tier(RAW, 0, 0),)))
    assert question_of(kept, alert, EPOCH) == Silence("p", "cpu", "usage_idle", EPOCH - 40 * 3_600, EPOCH, ())


def test_flux_is_asked_as_it_stands(policy):
    (alert,) = policy({"name": "a", "type": "flux", "flux": " x\n", "info": {"above": 1}}).alerts
    assert question_of(STREAM, alert, EPOCH) == FluxText("p", " x\n")


# Against the samples themselves

_SAMPLES = st.dictionaries(st.integers(-700, -1), st.integers(0, 50), max_size=60)


def read(samples, alert, at=EPOCH, upkeep=False):
    """The value of the only series, through a real store; samples by seconds from `EPOCH`."""
    with tempfile.TemporaryDirectory(dir=memory_directory()) as directory:
        clock = Clock(EPOCH)
        store = EmbeddedStore.open(Path(directory), clock=clock, block_seconds=200)
        try:
            store.ensure([STREAM])
            measurement, _, field = alert.metric.partition(".")
            store.write("p", [Point(measurement, HOST, {field: v}, EPOCH + t) for t, v in sorted(samples.items())])
            if upkeep:
                clock.now += 30
                roll(store, clock.now)
            found = asyncio.run(answers(store, STREAM, {"a": (alert, at)}, None, Patience()))["a"]
            assert callable(found), found
            return found(ABOVE).get(HOST)
        finally:
            store.close()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    samples=_SAMPLES,
    aggregate=st.sampled_from(["mean", "min", "max", "last"]),
    window=st.sampled_from([7, 60, 90, 300]),
    back=st.sampled_from([0, 30, 45, 61]),
)
def test_a_gauge_is_what_its_samples_say(policy, cpu, samples, aggregate, window, back):
    (alert,) = policy(cpu(metric="system.load1", aggregate=aggregate, window=f"{window}s")).alerts
    inside = [float(value) for time, value in sorted(samples.items()) if -back - window <= time < -back]
    expected = {"mean": lambda v: sum(v) / len(v), "min": min, "max": max, "last": lambda v: v[-1]}[aggregate]
    found = read({time: float(value) for time, value in samples.items()}, alert, EPOCH - back)
    assert found == (pytest.approx(expected(inside)) if inside else None)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(samples=_SAMPLES, window=st.sampled_from([7, 60, 90, 300]), back=st.sampled_from([0, 30, 45, 61]))
def test_a_counter_is_its_growth_over_the_seconds_it_was_seen(policy, cpu, samples, window, back):
    """Values that are random fall now and then: those are resets."""
    (alert,) = policy(cpu(metric="kernel.context_switches", window=f"{window}s")).alerts
    grown = seen = 0
    ordered = sorted(samples.items())
    for (t0, v0), (t1, v1) in pairwise(ordered):
        if -back - window <= t1 < -back and t1 - t0 <= TIERS.counter_gap:
            grown, seen = grown + (v1 - v0 if v1 >= v0 else v1), seen + t1 - t0
    found = read(samples, alert, EPOCH - back)
    assert found == (pytest.approx(grown / seen) if seen else None)


def test_a_tier_gives_what_raw_points_would(policy, cpu):
    """Of a window beyond the raw retention the tier answers."""
    samples = {-time: float((time * 7919) % 101) for time in range(1, 3_600, 5)}
    (alert,) = policy(cpu(metric="system.load1", window="61m")).alerts
    expected = sum(samples.values()) / len(samples)
    assert read(samples, alert, upkeep=True) == pytest.approx(expected)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(samples=st.dictionaries(st.integers(-600, -1), st.floats(0, 100), min_size=2, max_size=50))
def test_a_prediction_is_the_line_of_least_squares(policy, cpu, samples):
    """Of a window that is asked second by second, so that steps are samples."""
    (alert,) = policy(cpu(metric="system.load1", window="29s", every="29s", predictAfter="10m")).alerts
    at = EPOCH - EPOCH % 29
    shift = at - EPOCH
    inside = {time: value for time, value in samples.items() if shift - 29 <= time < shift}
    found = read(samples, alert, at)
    if len(inside) < 2:
        assert found is None
        return
    n, x, y = len(inside), [time - shift for time in inside], list(inside.values())
    mx, my = sum(x) / n, sum(y) / n
    slope = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sum((a - mx) ** 2 for a in x)
    assert math.isclose(found, my + slope * (600 - mx), rel_tol=1e-9, abs_tol=1e-6)


def test_a_straight_line_is_predicted_whatever_the_steps(policy, cpu):
    (alert,) = policy(cpu(metric="system.load1", window="10m", predictAfter="4h")).alerts
    samples = {time: 50 + time / 100 for time in range(-600, 0)}
    assert read(samples, alert) == pytest.approx(50 + 4 * 36)
    assert read({-1: 5.0}, alert) is None
