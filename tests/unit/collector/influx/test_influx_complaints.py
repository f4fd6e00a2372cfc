"""The log tells each trouble once, and losses in bounds but to the last line."""

from __future__ import annotations

import logging
from typing import Protocol

import pytest

from nodetide_collector.sinks.influx.complaints import Complaints


class Time(Protocol):
    now: float

    def monotonic(self) -> float: ...


def test_a_state_is_told_once_until_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    complaints = Complaints()
    complaints.clear("server", "never told")
    for number in range(3):
        complaints.state("server", "busy", f"slow {number}")
        complaints.state("bucket", "missing", f"gone {number}")
    complaints.state("server", "denied", "no")
    complaints.clear("server", "back")
    complaints.clear("server", "back")
    assert [record.message for record in caplog.records] == [
        "server: slow 0", "bucket: gone 0", "server: no", "server: back",
    ]  # fmt: skip


def test_losses_beyond_a_number_a_minute_are_summed_up(fake_time: Time, caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints(losses_per_minute=3, monotonic=fake_time.monotonic)
    for _ in range(120):
        complaints.lost("bucket b", "too old", 2)
        fake_time.now += 1
    complaints.lost("bucket b", "too old", 2)
    told = [int(record.message.partition("lines=")[2].split()[0]) for record in caplog.records]
    assert told == [2, 2, 2, 114, 2, 2, 2, 114, 2]
