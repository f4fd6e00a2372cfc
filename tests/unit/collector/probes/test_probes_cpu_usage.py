"""Shares of CPU time between two samples."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.hosts import pieces
from tests.fixtures.hosts.tree import Shape, make_host, write_tree

from nodetide_collector.probe import Request
from nodetide_collector.probes.cpu import CpuProbe, usage
from nodetide_core.points import Value

_COLUMNS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")


def times(root: Path, ticks: list[int]) -> dict[str, Value]:
    """What the probe says of one CPU with these columns of /proc/stat."""
    root.mkdir(exist_ok=True)
    write_tree(root, {"proc/stat": pieces.stat([ticks])})
    return CpuProbe(make_host(root, Shape({}))).read(Request()).samples[1].fields


ticks = st.lists(st.integers(0, 10**9), min_size=10, max_size=10).map(
    # The kernel counts guest time as user time, too.
    lambda t: [t[0] + t[8], t[1] + t[9], *t[2:]]
)


@given(before=ticks, step=ticks)
def test_shares_are_telegrafs(before: list[int], step: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("host")
    after = [old + new for old, new in zip(before, step, strict=True)]
    shares = usage(times(root / "after", after), times(root / "before", before), 1.0)
    total = sum(step[:8])
    if total == 0:
        assert shares == {}
        return
    spent = dict(zip(_COLUMNS, step, strict=True))
    spent["active"] = total - spent["idle"]
    spent["user"] -= spent["guest"]
    spent["nice"] -= spent["guest_nice"]
    # Columns are hundredths of seconds, so that what is small beside 10**7 s is lost in a float.
    assert shares == {
        f"usage_{mode}": pytest.approx(100 * ticks / total, rel=1e-6, abs=1e-4) for mode, ticks in spent.items()
    }


@given(before=ticks, step=ticks)
def test_shares_of_disjoint_modes_are_a_whole(
    before: list[int], step: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("host")
    after = [old + new for old, new in zip(before, step, strict=True)]
    shares = usage(times(root / "after", after), times(root / "before", before), 1.0)
    if shares:
        assert sum(float(shares[f"usage_{mode}"]) for mode in _COLUMNS) == pytest.approx(100)
        assert all(0 <= float(share) <= 100.0001 for share in shares.values())


def test_a_counter_that_goes_backwards_gives_nothing() -> None:
    before: dict[str, Value] = {"time_user": 10.0, "time_idle": 50.0, "time_iowait": 1.0}
    assert usage({"time_user": 9.0, "time_idle": 52.0, "time_iowait": 1.0}, before, 1.0) == {}
    assert usage({"time_user": 11.0, "time_idle": 3.0, "time_iowait": 0.0}, before, 1.0) == {}
    assert usage(before, before, 1.0) == {}
    assert usage(before, {}, 1.0) == {}


def test_time_moved_between_idle_and_iowait_stays_idle_time() -> None:
    before: dict[str, Value] = {"time_user": 10.0, "time_idle": 50.0, "time_iowait": 5.0, "time_active": 15.0}
    now: dict[str, Value] = {"time_user": 10.5, "time_idle": 51.3, "time_iowait": 4.2, "time_active": 14.7}
    shares = usage(now, before, 1.0)
    assert shares["usage_user"] == pytest.approx(50)
    assert shares["usage_idle"] == pytest.approx(50)
    assert shares["usage_iowait"] == 0
    assert shares["usage_active"] == pytest.approx(50)


def test_only_the_total_is_looked_at_when_no_cpu_is_wanted(tmp_path: Path) -> None:
    write_tree(tmp_path, {"proc/stat": "cpu 1 2 3 4 5 6 7 8 9 10\ncpu0 broken\n"})
    reading = CpuProbe(make_host(tmp_path, Shape({}))).read(Request(per_cpu=False))
    assert [sample.tags for sample in reading.samples] == [(("cpu", "cpu-total"),)]
    assert not reading.skipped
