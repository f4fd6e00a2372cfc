"""Kernel tables of files, inodes and asynchronous requests, from ``/proc/sys/fs``."""

from __future__ import annotations

from nodetide_collector.host import Host
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import MALFORMED, needs_linux, take
from nodetide_core.points import Value

__all__ = ["LinuxSysctlFsProbe"]

#: By file, the fields its numbers are, in order; None where a number is not wanted.
_FILES: tuple[tuple[str, tuple[str | None, ...]], ...] = (
    ("file-nr", ("file-nr", None, "file-max")),
    ("inode-nr", ("inode-nr", "inode-free-nr")),
    ("dentry-state", ("dentry-nr", "dentry-unused-nr")),
    ("aio-nr", ("aio-nr",)),
    ("aio-max-nr", ("aio-max-nr",)),
)


@probe("linux_sysctl_fs")
class LinuxSysctlFsProbe:
    def __init__(self, host: Host) -> None:
        self._host = host

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            return needs_linux()
        reading = Reading()
        fields: dict[str, Value] = {}
        for file, names in _FILES:
            data = take(self._host, reading, self._host.proc_file(f"sys/fs/{file}"))
            if data is None:
                continue
            numbers = data.split()
            if len(numbers) < len(names):
                reading.skip(MALFORMED)
            for name, number in zip(names, numbers, strict=False):
                if name is not None:
                    try:
                        fields[name] = int(number)
                    except ValueError:
                        reading.skip(MALFORMED)
        used, limit = fields.get("file-nr"), fields.get("file-max")
        if isinstance(used, int) and isinstance(limit, int) and limit > 0:
            fields["file-used-percent"] = 100.0 * used / limit
        reading.add("linux_sysctl_fs", (), fields)
        return reading
