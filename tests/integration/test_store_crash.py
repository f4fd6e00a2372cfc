"""kill -9 at any moment: it opens again, has all it acknowledged, and no tier is wrong."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.contracts.store_contract import memory_directory
from tests.integration.crash_writer import BLOCK, STREAM, points

from nodetide_core.rollup import Sample, counter_windows, gauge_windows, merge_counters, merge_gauges
from nodetide_core.store import Aggregate, RangeQuery
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.tiers import align_down

EPOCH = 20_000 * 86_400
ROOT = Path(__file__).resolve().parents[2]
RAW, TEN, SIXTY = STREAM.tiers.tiers
GAP = STREAM.tiers.counter_gap


def killed_writer(directory: Path, start: int, times: int) -> int:
    """Let a writer run until so many times are acknowledged, and kill it; the last one of all."""
    command = [sys.executable, "-m", "tests.integration.crash_writer", str(directory), str(start)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        assert first, "the writer did not start"
        told = first + b"".join(child.stdout.readline() for _ in range(times))
        child.kill()
        told += child.stdout.read()
    return int(told.rpartition(b"\n")[0].split()[-1])


def read(store, tier, field, aggregate, start, stop):
    measurement, _, name = field.partition(".")
    step = max(1, tier.window)
    found = asyncio.run(store.read(RangeQuery("b", tier, measurement, (name,), start, stop, step, aggregate)))
    return dict(zip(found[0].t, found[0].v, strict=True)) if found else {}


def written(newest):
    """Values by time, of the gauge and of the counter, after everything up to ``newest`` was written."""
    gauges, counts = {}, {}
    for moment in range(EPOCH, newest + 1):
        for point in points(moment):
            (counts if point.measurement == "kernel" else gauges)[point.time] = next(iter(point.fields.values()))
    return gauges, counts


def merged(windows, width, merge):
    groups = {}
    for start, made in windows.items():
        groups.setdefault(align_down(start, width), []).append(made)
    return {start: merge(parts) for start, parts in groups.items()}


def check(store, last):
    """What is stored of the time up to ``last`` is what the writer wrote, and every tier follows from it.

    Returns:
        The time of the newest point: ``last``, or the one whose acknowledgement was lost.
    """
    edge, stop = last - RAW.retention, last + 10
    raw = read(store, RAW, "kernel.context_switches", Aggregate.LAST, edge, stop)
    newest = max(raw)
    assert newest in (last, last + 1)
    gauges, counts = written(newest)
    assert raw == {at: value for at, value in counts.items() if at >= edge}
    load = read(store, RAW, "system.load1", Aggregate.LAST, edge, stop)
    assert load == {at: value for at, value in gauges.items() if at >= edge}

    while store.rollup(newest + 5).remaining:
        pass
    watermarks = asyncio.run(store.watermarks("b"))
    means = gauge_windows([Sample(*item) for item in sorted(gauges.items())], TEN.window)
    grown = counter_windows([Sample(*item) for item in sorted(counts.items())], TEN.window, GAP)
    for tier, low in ((TEN, newest - TEN.retention + SIXTY.window), (SIXTY, EPOCH)):
        high = watermarks.get(tier.name, 0)
        expected = {at: made.mean for at, made in merged(means, tier.window, merge_gauges).items() if low <= at < high}
        assert read(store, tier, "system.load1", Aggregate.MEAN, low, high) == pytest.approx(expected, rel=1e-12)
        expected = {at: m.increase for at, m in merged(grown, tier.window, merge_counters).items() if low <= at < high}
        assert read(store, tier, "kernel.context_switches", Aggregate.INCREASE, low, high) == expected
    return newest


@pytest.mark.slow
def test_fifty_kills_in_a_row():
    chance = random.Random()
    seed = chance.randrange(2**32)
    chance.seed(seed)
    with tempfile.TemporaryDirectory(dir=memory_directory()) as directory:
        start = EPOCH
        for kill in range(50):
            last = killed_writer(Path(directory), start, chance.randrange(350))
            store = EmbeddedStore.open(Path(directory), clock=lambda at=last: at + 5, block_seconds=BLOCK)
            try:
                start = check(store, last) + 1
            except AssertionError as error:
                raise AssertionError(f"after kill {kill} of seed {seed}: {error}") from error
            finally:
                store.close()
        assert start - EPOCH > 5_000
