"""The collector as a whole, in simulated time."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from nodetide_collector.collector import Collector, CollectorConfig
from nodetide_core.errors import PolicyError
from nodetide_core.points import Value
from nodetide_core.policy import parse_policy


def write_policy(path: Path, groups: Mapping[str, Any], name: str = "p", **spec: Any) -> None:
    document = {
        "apiVersion": "nodetide.io/v1alpha1",
        "kind": "MetricPolicy",
        "metadata": {"name": name},
        "spec": {"collection": {"groups": groups}, **spec},
    }
    parse_policy(document)
    path.write_text(json.dumps(document))


@pytest.fixture
def build(clock: Any, probes: Any, recording: Any, tmp_path: Path) -> Callable[..., Collector]:
    """A collector of the policies in ``tmp_path / "policies"``."""
    (tmp_path / "policies").mkdir()

    def make(groups: Mapping[str, Any] | None = None, **options: Any) -> Collector:
        if groups is not None:
            write_policy(tmp_path / "policies" / "p.json", groups)
        config = CollectorConfig("n1", policies=tmp_path / "policies")
        return Collector(config, recording, clock, registrations=probes.registrations, **options)

    return make


def run_for(collector: Collector, clock: Any, seconds: float) -> None:
    clock.at(seconds, collector.stop)
    collector.run()


def counting(probes: Any, name: str, field: str = "total") -> None:
    """A probe whose one series counts up."""
    from nodetide_collector.probe import Reading, Sample

    reads = iter(range(10**9))
    probes.add(name, lambda _: Reading([Sample(name, (), {field: next(reads)})]))


def test_every_second_is_there_exactly_once(build: Any, clock: Any, probes: Any, recording: Any) -> None:
    counting(probes, "mem")
    counting(probes, "swap")
    clock.late = 0.4
    start = math.floor(clock.wall)
    run_for(build({"mem": {}, "swap": {"interval": "5s"}}), clock, 600)
    assert recording.times("mem") == list(range(start + 1, start + 601))
    first, *aligned = recording.times("swap")
    assert first == start + 1
    assert aligned == [t for t in range(start + 2, start + 601) if t % 5 == 0]


def test_a_reload_while_running_loses_no_second(
    build: Any, clock: Any, probes: Any, recording: Any, tmp_path: Path
) -> None:
    for name in ("mem", "swap", "kernel"):
        counting(probes, name, "total" if name != "kernel" else "interrupts")
    told: list[list[str]] = []
    collector = build({"mem": {}}, on_policies=lambda policies: told.append([p.hash for p in policies]))
    file = tmp_path / "policies" / "p.json"
    start = math.floor(clock.wall)
    clock.at(20.5, lambda: write_policy(file, {"mem": {}, "kernel": {"interval": "1h"}}))
    clock.at(40.1, lambda: file.write_text("broken"))
    clock.at(60.9, lambda: write_policy(file, {"mem": {}, "swap": {"interval": "10s"}}))
    clock.at(80.2, lambda: write_policy(tmp_path / "policies" / "q.json", {"mem": {}}, name="q"))
    run_for(collector, clock, 100)
    everything = list(range(start + 1, start + 101))
    assert recording.times("mem", "p") == everything
    assert [v for b, p in recording.points if p.measurement == "mem" and b == "p" for v in p.fields.values()] == list(
        range(100)
    ), "one pass a second, shared by both policies"
    assert recording.times("mem", "q")[0] <= start + 83
    assert recording.times("mem", "q") == everything[-len(recording.times("mem", "q")) :]
    assert len(recording.times("kernel")) == 1, "a new group is sampled at once, then in its interval"
    assert start + 21 <= recording.times("kernel")[0] <= start + 23
    assert [len(hashes) for hashes in told] == [1, 1, 1, 2]


def test_a_slow_group_is_sampled_at_the_start_and_when_it_is_new(
    build: Any, clock: Any, probes: Any, recording: Any, tmp_path: Path
) -> None:
    counting(probes, "mem")
    counting(probes, "swap")
    slow = {"interval": "1h"}
    collector = build({"mem": slow})
    clock.at(100.5, lambda: write_policy(tmp_path / "policies" / "p.json", {"mem": slow, "swap": slow}))
    start = math.floor(clock.wall)
    run_for(collector, clock, 3_700)
    on_the_hour = start - start % 3_600 + 3_600
    assert recording.times("mem") == [start + 1, on_the_hour]
    first, *rest = recording.times("swap")
    assert start + 101 <= first <= start + 103
    assert rest == [on_the_hour]


def last(recording: Any, group: str = "all") -> Mapping[str, Value]:
    found: Mapping[str, Value] = [
        p.fields for _, p in recording.points if p.measurement == "collector" and dict(p.tags)["group"] == group
    ][-1]
    return found


def test_self_metrics_tell_of_probes_policies_and_hash(
    build: Any, clock: Any, probes: Any, recording: Any, tmp_path: Path
) -> None:
    from nodetide_collector.probe import Reading

    counting(probes, "mem")

    def broken(_: Any) -> Reading:
        raise OSError("gone")

    probes.add("swap", broken)
    collector = build({"mem": {}, "swap": {}, "collector": {}})
    clock.at(5.5, lambda: (tmp_path / "policies" / "p.json").write_text("{}"))
    run_for(collector, clock, 10)
    assert last(recording, "mem")["success"] == 1
    assert last(recording, "mem")["series"] == 1
    assert last(recording, "swap") == {
        "duration_ms": 0.0, "success": 0, "series": 0, "errors": 10, "skipped": 0,
    }  # fmt: skip
    whole = last(recording)
    assert (whole["success"], whole["errors"], whole["ticks_missed"]) == (0, 11, 0)
    assert whole["rss_bytes"] > 2**20  # type: ignore[operator]
    assert isinstance(whole["policy_hash"], str)
    assert len(whole["policy_hash"]) == 16


def test_self_metrics_are_written_whatever_groups_a_policy_names(
    build: Any, clock: Any, probes: Any, recording: Any
) -> None:
    counting(probes, "mem")
    run_for(build({"mem": {}}), clock, 5)
    assert set(recording.times("collector")) == set(recording.times("mem"))


def test_a_stall_is_counted_and_logged_but_not_once_per_second(
    build: Any, clock: Any, probes: Any, recording: Any, caplog: pytest.LogCaptureFixture
) -> None:
    counting(probes, "mem")
    collector = build({"mem": {}, "collector": {}})
    for at in (10.5, 15.5, 20.5):
        clock.at(at, lambda: clock.advance(3))
    run_for(collector, clock, 60)
    times = recording.times("mem")
    assert len(set(times)) == len(times)
    missed = times[-1] - times[0] + 1 - len(times)
    assert 6 <= missed <= 9
    assert last(recording)["ticks_missed"] == missed
    assert len([r for r in caplog.records if "not sampled" in r.message]) == 1


@pytest.mark.parametrize("seconds", [-86_400.0, -3.0, 4.0, 86_400.0])
def test_a_clock_step_is_counted_and_sampling_goes_on(
    build: Any, clock: Any, probes: Any, recording: Any, seconds: float
) -> None:
    counting(probes, "mem")
    collector = build({"mem": {}, "collector": {}})
    clock.at(10.5, lambda: clock.step(seconds))
    run_for(collector, clock, 20)
    assert last(recording)["clock_steps"] == 1
    assert last(recording)["ticks_missed"] == 0
    assert 19 <= len(recording.times("mem")) <= 21
    assert 0 <= math.floor(clock.wall) - recording.times("mem")[-1] <= 1
    assert clock.waits < 60


def test_a_hung_probe_costs_the_others_nothing(build: Any, clock: Any, probes: Any, recording: Any) -> None:
    gate = threading.Event()
    counting(probes, "mem")

    def hang(_: Any) -> None:
        clock.advance(0.3)  # longer than anyone waits for one probe
        gate.wait()

    probes.add("swap", hang, timeout=5)
    collector = build({"mem": {}, "swap": {}, "collector": {}})
    try:
        run_for(collector, clock, 30)
    finally:
        gate.set()
    assert probes.reads.count("swap") == 1
    times = recording.times("mem")
    assert times == list(range(times[0], times[0] + 30))
    assert last(recording, "swap")["errors"] == 1
    assert last(recording, "swap")["skipped"] == 29


def test_a_late_reading_reaches_the_sink_with_the_second_it_was_started_for(
    build: Any, clock: Any, probes: Any, recording: Any
) -> None:
    from nodetide_collector.probe import Reading, Sample

    gate = threading.Event()
    counting(probes, "mem")

    def slow(_: Any) -> Reading:
        clock.advance(0.3)
        gate.wait()
        return Reading([Sample("swap", (), {"total": 1})])

    probes.add("swap", slow, timeout=1e9)
    collector = build({"mem": {}, "swap": {}})
    start = math.floor(clock.wall)

    def look() -> None:
        gate.set()
        if recording.times("swap"):
            collector.stop()
        else:
            time.sleep(0.001)  # the probe's thread is real
            clock.at(1, look)

    clock.at(5.5, look)
    collector.run()
    assert recording.times("swap")[0] == start + 1
    assert recording.times("mem")[0] == start + 1


def test_all_policies_suspended_means_waiting_not_spinning(
    build: Any, clock: Any, probes: Any, recording: Any, tmp_path: Path
) -> None:
    write_policy(tmp_path / "policies" / "p.json", {"mem": {}}, suspend=True)
    counting(probes, "mem")
    collector = build()
    clock.at(50, lambda: write_policy(tmp_path / "policies" / "p.json", {"mem": {}}))
    run_for(collector, clock, 100)
    assert 45 <= len(recording.times("mem")) <= 51
    assert clock.waits < 250


class TestEnd:
    def test_what_is_held_is_flushed_and_the_sink_closed(
        self, build: Any, clock: Any, probes: Any, recording: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        counting(probes, "mem")
        run_for(build({"mem": {}}), clock, 3)
        assert (recording.flushed, recording.closed) == ([5.0], 1)
        assert "lost" not in caplog.text
        assert "collector ended points_written=9" in caplog.text

    def test_what_is_lost_is_said(
        self, build: Any, clock: Any, probes: Any, recording: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        counting(probes, "mem")
        recording.held = 12
        run_for(build({"mem": {}}), clock, 3)
        assert "points lost at the end points=12 flush_timeout=5" in caplog.text

    def test_also_when_the_loop_fails(self, build: Any, clock: Any, probes: Any, recording: Any) -> None:
        counting(probes, "mem")

        def broken(bucket: str, points: Any) -> None:
            raise ZeroDivisionError

        recording.write = broken
        with pytest.raises(ZeroDivisionError):
            build({"mem": {}}).run()
        assert recording.closed == 1

    def test_stop_before_run_ends_it_at_once(self, build: Any, clock: Any, probes: Any, recording: Any) -> None:
        counting(probes, "mem")
        collector = build({"mem": {}})
        collector.stop()
        collector.run()
        assert recording.points == []
        assert recording.closed == 1


class TestOnce:
    def test_two_readings_give_what_is_derived(self, build: Any, clock: Any, probes: Any, recording: Any) -> None:
        from nodetide_collector.probe import Reading, Sample

        counts = iter((100, 150))
        probes.add(
            "diskio",
            lambda _: Reading([Sample("diskio", (("name", "sda"),), {"io_time": next(counts)})]),
            derive=lambda now, before, seconds: {"io_util": (now["io_time"] - before["io_time"]) / seconds},
        )
        counting(probes, "mem")
        points = build({"diskio": {}, "mem": {"interval": "1h"}, "collector": {}}).once(2.0)
        by_name = {point.measurement: point for point in points}
        assert by_name["diskio"].fields == {"io_time": 150, "io_util": 25.0}
        assert by_name["diskio"].time == math.floor(clock.wall)
        assert by_name["mem"].fields == {"total": 1}
        assert "collector" in by_name
        assert recording.points == []

    def test_a_window_within_one_second(self, build: Any, clock: Any, probes: Any) -> None:
        counting(probes, "mem")
        (point,) = [point for point in build({"mem": {}}).once(0.2) if point.measurement == "mem"]
        assert point.fields == {"total": 1}


def test_wrong_policies_at_the_start_are_an_error(build: Any, tmp_path: Path) -> None:
    (tmp_path / "policies" / "p.json").write_text('{"kind": "Pod"}')
    with pytest.raises(PolicyError, match="MetricPolicy"):
        build()
