"""`kill -9` of `nodetide run`, again and again, under load."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.standalone.process import Nodetide, until

from nodetide_core.policy import load_policies
from nodetide_core.rollup import Sample, counter_windows, gauge_windows
from nodetide_core.store import Aggregate, Column, RangeQuery
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.tiers import Tier, align_down

KILLS = 50

#: Windows of seconds, so that a run of two minutes sees hundreds of rollups.
POLICY = """
apiVersion: nodetide.io/v1alpha1
kind: MetricPolicy
metadata: {name: crash}
spec:
  collection: {interval: 1s, groups: {mem: {}, kernel: {}, cpu: {}, net: {}}}
  storage:
    tiers:
    - {name: raw, retention: 1h}
    - {name: 5s, window: 5s, retention: 1h}
    - {name: 15s, window: 15s, retention: 1h}
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_kills_lose_at_most_two_seconds_each_and_leave_every_tier_right(
    run: Callable[..., Nodetide], tmp_path: Path
):
    (tmp_path / "policy.yaml").write_text(POLICY)
    chance = random.Random(7)
    started = align_down(int(time.time()), 15)  # so that no window of any tier is read in part
    seen: set[int] = set()
    for _ in range(KILLS):
        one = run("--policy", "policy.yaml").wait_until_running()
        until(one.newest, 180, one.text)
        deadline = time.monotonic() + chance.uniform(0.0, 2.5)
        while time.monotonic() < deadline:
            # The API asked all the while is the load; what it has shown is what must not be lost.
            seen.add(one.newest())
        one.end(signal.SIGKILL)
    last = run("--policy", "policy.yaml").wait_until_running()
    until(lambda: last.newest() > max(seen), 180, last.text)
    last.end(signal.SIGTERM)

    store = EmbeddedStore.open(tmp_path / "data")
    try:
        while store.rollup(int(time.time())).remaining:
            pass
        asyncio.run(_check(store, tmp_path, started, seen))
    finally:
        store.close()


async def _check(store: EmbeddedStore, folder: Path, started: int, seen: set[int]) -> None:
    policy = load_policies(folder / "policy.yaml")[0]
    raw, *rollups = policy.storage.tiers.tiers
    stop = int(time.time()) + 1

    async def read(tier: Tier, measurement: str, field: str, aggregate: Aggregate, step: int) -> list[Column]:
        query = RangeQuery(policy.storage.bucket, tier, measurement, (field,), started, stop, step, aggregate)
        return await store.read(query)

    (mem,) = await read(raw, "mem", "used", Aggregate.LAST, 1)
    kept = set(mem.t)
    # Every second that anybody has seen is at most the last two before a kill away from what is kept.
    assert not {t for t in seen if t not in kept and t - 1 not in kept and t - 2 not in kept}
    assert len(kept & seen) >= len(seen) - 2 * KILLS
    (switches,) = await read(raw, "kernel", "context_switches", Aggregate.LAST, 1)
    for tier in rollups:
        mark = (await store.watermarks(policy.storage.bucket))[tier.name]
        assert mark > max(seen) - 30
        await _compare_gauge(read, tier, _samples(mem), mark)
        await _compare_counter(read, tier, _samples(switches), mark, policy.storage.tiers.counter_gap)


def _samples(column: Column) -> list[Sample]:
    return [Sample(t, v) for t, v in zip(column.t, column.v, strict=True)]


async def _compare_gauge(read: Any, tier: Tier, samples: list[Sample], mark: int) -> None:
    expected = {start: rollup for start, rollup in gauge_windows(samples, tier.window).items() if start < mark}
    for aggregate, pick in (
        (Aggregate.MEAN, lambda r: r.mean), (Aggregate.MIN, lambda r: r.min),
        (Aggregate.MAX, lambda r: r.max), (Aggregate.COUNT, lambda r: r.samples),
    ):  # fmt: skip
        (column,) = await read(tier, "mem", "used", aggregate, tier.window)
        found = dict(zip(column.t, column.v, strict=True))
        assert found == pytest.approx({start: pick(rollup) for start, rollup in expected.items()}, rel=1e-12)


async def _compare_counter(read: Any, tier: Tier, samples: list[Sample], mark: int, gap: int) -> None:
    expected = {start: r for start, r in counter_windows(samples, tier.window, gap).items() if start < mark}
    (column,) = await read(tier, "kernel", "context_switches", Aggregate.INCREASE, tier.window)
    # A window whose only sample is the very first one has seen no increase at all.
    grown = {start: r.increase for start, r in expected.items() if r.seconds}
    found = {t: v for t, v in zip(column.t, column.v, strict=True) if t in grown}
    assert found == grown
    (last,) = await read(tier, "kernel", "context_switches", Aggregate.LAST, tier.window)
    assert dict(zip(last.t, last.v, strict=True)) == {start: r.last for start, r in expected.items()}
