"""Share of time a disk was busy between two samples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_collector.probes.diskio import utilisation


@given(start=st.integers(0, 2**32), busy=st.integers(0, 100_000), seconds=st.floats(0.001, 3600))
def test_it_is_busy_time_over_time(start: int, busy: int, seconds: float) -> None:
    util = utilisation({"io_time": start + busy}, {"io_time": start}, seconds)["io_util"]
    assert util == pytest.approx(min(100.0, 100 * busy / 1000 / seconds))


def test_it_is_absent_where_it_cannot_be_known() -> None:
    assert utilisation({"io_time": 4}, {"io_time": 5}, 1.0) == {}
    assert utilisation({"io_time": 6}, {"io_time": 5}, 0.0) == {}
    assert utilisation({"io_time": 6}, {"io_time": 5}, -1.0) == {}
    assert utilisation({}, {"io_time": 5}, 1.0) == {}
    assert utilisation({"io_time": 6}, {}, 1.0) == {}
