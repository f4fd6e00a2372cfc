"""CPU and memory of a process, from the kernel's own accounting."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Usage", "cpu_seconds", "rss_mib", "running", "watch"]

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """Of one process over a while: share of one core in %, and resident memory at the end in MiB."""

    cpu_percent: float
    rss_mib: float


@contextmanager
def running(command: Sequence[str], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """A process of our own that is ended, by id, whatever happens, also to this one.

    Args:
        command: the program's path first.
    """
    from servers.process import bound  # a worker of the fleet knows no servers

    process = subprocess.Popen(bound(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def watch(pid: int, seconds: float, warm_up: float) -> Usage:
    """What process ``pid`` uses over ``seconds``, after ``warm_up``."""
    time.sleep(warm_up)
    before, started = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    used, passed = cpu_seconds(pid) - before, time.monotonic() - started
    return Usage(100 * used / passed, rss_mib(pid))


def cpu_seconds(pid: int) -> float:
    """What a process has used since its start, of all cores together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_mib(pid: int) -> float:
    """Resident memory of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
