"""What a server uses while a fleet writes to it."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from types import TracebackType

from servers import InfluxServer
from tests.bench.processes import cpu_seconds, rss_mib

__all__ = ["Watch", "disk_bytes", "refused_writes", "settle_down", "written_bytes"]

_COUNT = re.compile(r'^http_write_request_count\{.*status="(\d+)"\} (\S+)$', re.MULTILINE)
_IO = re.compile(r"^write_bytes: (\d+)$", re.MULTILINE)
#: Seconds that compactions may take after the last write, and for which sizes must stand still.
_PATIENCE, _STILL = 300.0, 10.0


class Watch:
    """Notes, at every full second, the CPU seconds and the memory of influxd.

    Attributes:
        cpu: seconds used since its start, by Unix second.
        rss: MiB, likewise.
    """

    def __init__(self, server: InfluxServer) -> None:
        self.cpu: dict[int, float] = {}
        self.rss: dict[int, float] = {}
        self._pid = server.pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._note, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def used(self, start: int, stop: int) -> float:
        """Cores in use on average between two seconds."""
        noted = sorted(second for second in self.cpu if start <= second <= stop)
        first, last = noted[0], noted[-1]
        return (self.cpu[last] - self.cpu[first]) / max(1, last - first)

    def _note(self) -> None:
        while not self._stop.is_set():
            second = int(time.time())
            self.cpu[second], self.rss[second] = cpu_seconds(self._pid), rss_mib(self._pid)
            self._stop.wait(second + 1 - time.time())


def disk_bytes(server: InfluxServer) -> int:
    """What its files take of the disk."""
    total = 0
    for path in (server.data / "engine").rglob("*"):
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:  # compacted away meanwhile
            continue
    return total


def written_bytes(server: InfluxServer) -> int:
    """What it has had the disk write since its start."""
    found = _IO.search(Path(f"/proc/{server.pid}/io").read_text())
    return int(found[1]) if found else 0


def refused_writes(server: InfluxServer) -> int:
    """Writes that it has answered with an error since its start."""
    text = server.call("GET", "/metrics")
    return sum(int(float(count)) for status, count in _COUNT.findall(text) if status != "204")


def settle_down(server: InfluxServer) -> None:
    """Wait until it has put its caches into files and compacted them, which it does when nobody writes."""
    end = time.monotonic() + _PATIENCE
    before, since = cpu_seconds(server.pid), time.monotonic()
    while time.monotonic() < end:
        time.sleep(1)
        wal = sum(path.stat().st_size for path in (server.data / "engine" / "wal").rglob("*.wal"))
        now = cpu_seconds(server.pid)
        if wal > 2**20 or now - before > 0.1:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > _STILL:
            return
