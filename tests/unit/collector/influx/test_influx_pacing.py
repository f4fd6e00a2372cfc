"""When to send."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nodetide_collector.sinks.influx.pacing import next_flush, phase


@given(st.floats(0, 4e9), st.floats(0.5, 60), st.text())
def test_a_flush_comes_within_an_interval_at_the_hosts_own_phase(wall: float, interval: float, host: str) -> None:
    own = phase(host, interval)
    assert 0 <= own < interval
    left = next_flush(wall, interval, own)
    assert 0 < left <= interval
    off = (wall + left - own) % interval
    assert min(off, interval - off) < 1e-4


def test_hosts_are_spread_evenly() -> None:
    slots = [0] * 50
    for number in range(5_000):
        slots[int(phase(f"ip-10-0-{number // 250}-{number % 250}.eu-west-1.compute.internal", 5) * 10)] += 1
    assert max(slots) < 150 and min(slots) > 60
