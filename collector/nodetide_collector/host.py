"""Where the host's files are and how they are read: the one place that knows of ``/host/proc`` and its kind."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from sys import platform
from typing import NamedTuple, Protocol

from nodetide_collector.adjtimex import Timex, adjtimex

__all__ = ["OWN_NAMESPACE", "Host", "SelfUsage", "StatVfs", "reason"]

#: Counted where a file of the host's first process cannot be read and our own view had to serve.
OWN_NAMESPACE = "/proc/1 not readable: own namespace instead"

# Not blocking: a sensor of a sleeping device answers EAGAIN instead of holding up the pass.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_CHUNK = 1 << 16
_BLOCK = 1 << 18

_REASONS = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "no such file",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ESRCH: "vanished while read",
    errno.ENODEV: "vanished while read",
}


class StatVfs(Protocol):
    """What `os.statvfs` answers, as far as it is used."""

    @property
    def f_frsize(self) -> int: ...
    @property
    def f_blocks(self) -> int: ...
    @property
    def f_bfree(self) -> int: ...
    @property
    def f_bavail(self) -> int: ...
    @property
    def f_files(self) -> int: ...
    @property
    def f_ffree(self) -> int: ...


class SelfUsage(NamedTuple):
    """What this process itself has used and holds."""

    cpu_seconds: float
    rss_bytes: int


def _open(path: str) -> int:
    return os.open(path, _FLAGS)


def _statvfs(path: bytes) -> StatVfs:
    return os.statvfs(path)


def _sysconf(name: str, default: int) -> int:
    try:
        return os.sysconf(name)
    except (ValueError, OSError):
        return default


def reason(error: OSError) -> str:
    """A short text for counting; there are only as many as there are error numbers."""
    number = error.errno or 0
    return _REASONS.get(number) or f"read error {errno.errorcode.get(number, number)}"


@dataclass(frozen=True)
class Host:
    """Roots of the host's file systems as this process sees them, and the few calls made of the system.

    In a container the host's ``/proc``, ``/sys`` and ``/`` are mounted elsewhere.  Network and mount
    tables are read through ``/proc/1``, because ``/proc/net`` and ``/proc/mounts`` follow the reader
    into its own namespaces.

    Attributes:
        root: prefix of the host's mount points; ``/`` when they are ours.
        own_proc: this process's own ``/proc``, for what it wants to know of itself.
        linux: whether the kernel's files are there to be read; elsewhere psutil serves what it can.
        open: opens a file for reading and gives its descriptor.
        statvfs: as `os.statvfs`; may block for ever on a dead network mount.
        adjtimex: what the kernel says of its clock, which is one for all containers.
        page_size: bytes of a page of memory.
        clock_ticks: per second, the unit of CPU times in ``/proc/stat``.
    """

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    root: Path = Path("/")
    own_proc: Path = Path("/proc")
    linux: bool = platform == "linux"
    open: Callable[[str], int] = field(default=_open, repr=False)
    statvfs: Callable[[bytes], StatVfs] = field(default=_statvfs, repr=False)
    adjtimex: Callable[[], Timex] = field(default=adjtimex, repr=False)
    page_size: int = field(default_factory=lambda: _sysconf("SC_PAGE_SIZE", 4096))
    clock_ticks: int = field(default_factory=lambda: _sysconf("SC_CLK_TCK", 100))

    def proc_file(self, name: str) -> str:
        """Path of a file that is the same for every reader, such as ``stat`` or ``meminfo``."""
        return f"{self._proc}/{name}"

    def sys_file(self, name: str) -> str:
        """Path under ``/sys``."""
        return f"{self._sys}/{name}"

    def init_files(self, name: str) -> tuple[str, ...]:
        """Paths of a file that shows the namespaces of the process it is read of, best first.

        That process is the host's first one.  Only where the host's ``/proc`` is our own may
        ``self`` stand in: in a container it would show the container and call it the host.
        """
        first = f"{self._proc}/1/{name}"
        return (first, f"{self._proc}/self/{name}") if self.proc == self.own_proc else (first,)

    def read(self, path: str) -> bytes:
        """The whole file.

        Raises:
            OSError: as the system says.
        """
        fd = self.open(path)
        try:
            data = os.read(fd, _CHUNK)
            # The kernel's tables come a page at a time, so a short answer is not yet the end.
            more = os.read(fd, _CHUNK) if data else b""
            if not more:
                return data
            parts = [data]
            while more:
                parts.append(more)
                more = os.read(fd, _CHUNK)
            return b"".join(parts)
        finally:
            os.close(fd)

    def blocks(self, path: str) -> Iterator[bytes]:
        """A file that may be large, as blocks of whole lines, so that it is never held at once.

        Raises:
            OSError: as the system says; the file is opened when the first block is asked for.
        """
        fd = self.open(path)
        try:
            parts: list[bytes] = []
            size = 0
            while part := os.read(fd, _CHUNK):
                parts.append(part)
                size += len(part)
                if size >= _BLOCK:
                    block, newline, rest = b"".join(parts).rpartition(b"\n")
                    if newline:
                        yield block + newline
                    parts = [rest]
                    size = len(rest)
            if size:
                yield b"".join(parts)
        finally:
            os.close(fd)

    def names(self, path: str) -> list[str]:
        """What is in a directory, sorted.

        Raises:
            OSError: as the system says.
        """
        return sorted(os.listdir(path))  # noqa: PTH208 (names, many, and often)

    def link_name(self, path: str) -> str:
        """The last part of where a symbolic link leads.

        Raises:
            OSError: as the system says.
        """
        return Path(path).readlink().name

    def self_usage(self) -> SelfUsage | None:
        """CPU time and memory of this process, from its own ``/proc``; None where that is not to be had."""
        if not self.linux:
            import psutil

            own = psutil.Process()
            times = own.cpu_times()
            return SelfUsage(times.user + times.system, own.memory_info().rss)
        try:
            fields = self.read(f"{self.own_proc}/self/stat").rpartition(b")")[2].split()
            return SelfUsage((int(fields[11]) + int(fields[12])) / self.clock_ticks, int(fields[21]) * self.page_size)
        except (OSError, ValueError, IndexError):
            return None

    @cached_property
    def _proc(self) -> str:
        return str(self.proc)

    @cached_property
    def _sys(self) -> str:
        return str(self.sys)
