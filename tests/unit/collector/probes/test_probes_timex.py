"""What is made of the kernel's word on its clock, and of file systems that it made read-only."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.fixtures.hosts import pieces
from tests.fixtures.hosts.tree import Shape, make_host

from nodetide_collector.adjtimex import Timex, adjtimex
from nodetide_collector.probe import Reading, Request
from nodetide_collector.probes._mounts import parse_mountinfo
from nodetide_collector.probes.timex import TimexProbe


def read(answer: Timex | OSError, root: Path) -> Reading:
    return TimexProbe(make_host(root, Shape({}, timex=answer))).read(Request())


@pytest.mark.parametrize(("status", "offset"), [(0x2001, 0.0015), (0x0001, 1.5)])
def test_the_status_says_what_the_offset_is_counted_in(status: int, offset: float, tmp_path: Path) -> None:
    (sample,) = read(Timex(0, status, 1_500_000, 20_000, 250), tmp_path).samples
    assert sample.fields == {"offset": offset, "max_error": 0.02, "estimated_error": 0.00025, "sync_status": 1}


@pytest.mark.parametrize(("state", "kept"), [(0, 1), (1, 1), (4, 1), (5, 0)])
def test_a_leap_second_is_no_lack_of_time(state: int, kept: int, tmp_path: Path) -> None:
    (sample,) = read(Timex(state, 0, 0, 0, 0), tmp_path).samples
    assert sample.fields["sync_status"] == kept


def test_a_call_that_is_refused_is_counted(tmp_path: Path) -> None:
    reading = read(PermissionError(1, "Operation not permitted"), tmp_path)
    assert (reading.samples, dict(reading.skipped)) == ([], {"permission denied": 1})


@pytest.mark.skipif(sys.platform != "linux", reason="a system call of Linux")
def test_the_kernel_answers_within_what_its_manual_says() -> None:
    answer = adjtimex()
    assert 0 <= answer.state <= 5
    assert 0 <= answer.maxerror <= 20_000_000  # the kernel lets it grow to 16 s, and no further
    assert 0 <= answer.esterror <= 20_000_000
    assert abs(answer.offset) <= 1_000_000_000


@pytest.mark.parametrize(
    ("mount", "file_system", "read_only", "forced"),
    [
        ("rw,relatime", "rw", False, False),
        ("ro,relatime", "ro", True, False),  # mount -o ro
        ("ro,relatime", "rw", True, False),  # a bind mount of its own
        ("rw,relatime", "ro,errors=remount-ro", True, True),
        ("rw,relatime", "rw,emergency_ro", True, True),  # ext4 of Linux 6.15 and later
    ],
)
def test_a_file_system_made_read_only_is_told_from_one_mounted_so(
    mount: str, file_system: str, read_only: bool, forced: bool
) -> None:
    line = pieces.mount("/", "/dev/sda1", "ext4", number="8:1", options=mount, super_options=file_system)
    ((found,), malformed) = parse_mountinfo(line.encode())
    assert (found.read_only, found.forced, malformed) == (read_only, forced, 0)
