from __future__ import annotations

import logging
from collections import Counter

import pytest

from nodetide_collector.health import Health
from nodetide_collector.passes import Outcome
from nodetide_collector.probe import Reading, Sample


def good(series: int = 1, skipped: Counter[str] | None = None) -> Outcome:
    samples = [Sample("mem", (("n", str(i)),), {"total": 1}) for i in range(series)]
    return Outcome("mem", 1, 0.0, 0.25, Reading(samples, skipped or Counter()))


def bad(error: str = "OSError", detail: str = "gone") -> Outcome:
    return Outcome("mem", 1, 0.0, 0.5, None, error, detail)


@pytest.fixture
def health(caplog: pytest.LogCaptureFixture) -> Health:
    caplog.set_level(logging.INFO)
    return Health()


def test_everything_is_counted(health: Health) -> None:
    for outcome in (good(3, Counter({"a": 2})), bad(), bad(), good(4, Counter({"a": 1, "b": 1}))):
        health.record(outcome)
    found = health.groups["mem"]
    assert (found.errors, found.skipped, found.series, found.success, found.duration) == (2, 4, 4, True, 0.25)


def test_a_lasting_failure_is_one_line(health: Health, caplog: pytest.LogCaptureFixture) -> None:
    for second in range(1_000):
        health.record(bad(detail=f"at {second}"))
    assert len(caplog.records) == 1
    assert "group=mem error=OSError detail='at 0'" in caplog.text


def test_another_cause_and_a_recovery_are_lines_of_their_own(health: Health, caplog: pytest.LogCaptureFixture) -> None:
    for outcome in [bad("OSError")] * 5 + [bad("timed out")] * 5 + [good()] * 100:
        health.record(outcome)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO"]
    assert "recovered group=mem errors=10" in caplog.text


def test_flapping_does_not_fill_the_log(health: Health, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(500):
        health.record(bad())
        health.record(good())
    assert len(caplog.records) == 1


def test_each_reason_to_leave_something_out_is_one_line_and_their_number_is_bounded(
    health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(50):
        health.record(good(1, Counter({"no such file": 3})))
    assert len(caplog.records) == 1
    health.skip("mem", {f"reason {i}": 1 for i in range(1_000)})
    assert len(caplog.records) == 50
    assert health.groups["mem"].skipped == 1_150
