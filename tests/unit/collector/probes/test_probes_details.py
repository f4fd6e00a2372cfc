"""What single probes must get right beyond the golden files."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.hosts import pieces
from tests.fixtures.hosts.shapes import SHAPES
from tests.fixtures.hosts.tree import Shape, make_host, write_tree

from nodetide_collector.probe import Request
from nodetide_collector.probes._cpulist import parse_cpu_list
from nodetide_collector.probes.processes import ProcessesProbe
from nodetide_collector.probes.softnet import SoftnetProbe, Unwrapped
from nodetide_collector.probes.system import count_users
from nodetide_collector.probes.temp import TempProbe


def test_processes_that_end_meanwhile_do_not_count(tmp_path: Path) -> None:
    for pid in (1, 10, 11):
        write_tree(tmp_path, pieces.process(pid, "x", "S"))
    host = make_host(tmp_path, Shape({}))

    def open_file(path: str) -> int:
        if path.endswith("/10/stat"):
            raise ProcessLookupError(3, "No such process")
        if path.endswith("/11/stat"):
            raise FileNotFoundError(2, "No such file")
        return os.open(path, os.O_RDONLY)

    reading = ProcessesProbe(dataclasses.replace(host, open=open_file)).read(Request())
    assert reading.samples[0].fields["total"] == 1
    assert not reading.skipped


def test_hidden_processes_are_not_taken_for_absent_ones(tmp_path: Path) -> None:
    write_tree(tmp_path, pieces.process(500, "ours", "S"))
    reading = ProcessesProbe(make_host(tmp_path, Shape({}))).read(Request())
    assert reading.samples == []
    assert dict(reading.skipped) == {"processes are hidden: no such file": 1}


@pytest.mark.parametrize(("machine", "size"), [("x86_64", 384), ("aarch64", 400)])
def test_users_are_counted_by_records(machine: str, size: int) -> None:
    assert count_users(pieces.utmp([2, 1, 7, 6, 8, 7, 7], size), machine) == 3
    assert count_users(pieces.utmp([7, 7], size)[:-1], machine) == 1
    assert count_users(b"", machine) == 0


@given(st.sets(st.integers(0, 300), min_size=1))
def test_lists_of_cpus_are_read_back(cpus: set[int]) -> None:
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and runs[-1][-1] == cpu - 1:
            runs[-1].append(cpu)
        else:
            runs.append([cpu])
    text = ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
    assert parse_cpu_list(text.encode() + b"\n") == sorted(cpus)


@pytest.mark.parametrize("text", [b"", b"\n", b"1-", b"3-1", b"a", b"-1", b"0-99999999999"])
def test_what_is_no_list_of_cpus_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        parse_cpu_list(text)


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=50))
def test_a_wrapping_counter_is_continued(steps: list[int]) -> None:
    counter, true = Unwrapped(), 0
    for step in steps:
        true += step
        assert counter.next(true % 2**32) == true


def test_a_counter_that_starts_anew_is_not_continued() -> None:
    counter = Unwrapped()
    assert [counter.next(value) for value in (1_000, 5, 6)] == [1_000, 5, 6]


def test_the_total_of_soft_interrupts_does_not_fall_when_one_cpu_wraps(tmp_path: Path) -> None:
    probe = SoftnetProbe(make_host(tmp_path, Shape({})))
    totals = []
    for processed in (2**32 - 10, 20):
        write_tree(tmp_path, {"proc/1/net/softnet_stat": pieces.softnet([(0, processed, 0, 0), (1, 500, 0, 0)])})
        totals.append(probe.read(Request(per_cpu=False)).samples[0].fields["processed"])
    assert totals == [2**32 + 490, 2**32 + 520]


def test_a_sensor_keeps_its_name_when_another_is_not_wanted(tmp_path: Path) -> None:
    write_tree(tmp_path, SHAPES["cgroup2-nvme-lvm-psi-irq"].tree)
    reading = TempProbe(make_host(tmp_path, Shape({}))).read(Request(wants=lambda name: name != "nvme_composite"))
    names = [sample.tags[0][1] for sample in reading.samples]
    assert "nvme_composite_nvme1" in names
    assert "nvme_composite" not in names
