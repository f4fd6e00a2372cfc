"""Pressure stall information, from ``/proc/pressure``."""

from __future__ import annotations

import errno
import math

from nodetide_collector.host import Host, reason
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import MALFORMED, needs_linux
from nodetide_core.points import Tags, Value

__all__ = ["PressureProbe"]

#: Full pressure of the CPU is not there: over the whole system it is undefined, and the kernel says 0.
_LINES = {
    "cpu": (b"some",),
    "memory": (b"some", b"full"),
    "io": (b"some", b"full"),
    "irq": (b"full",),
}
_OFF = "pressure stall information is off"


@probe("pressure")
class PressureProbe:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._files = tuple((resource, host.proc_file(f"pressure/{resource}")) for resource in _LINES)
        self._tags: dict[tuple[str, bytes], Tags] = {
            (resource, kind): (("resource", resource), ("type", kind.decode()))
            for resource, kinds in _LINES.items()
            for kind in kinds
        }

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            return needs_linux()
        reading = Reading()
        absent = 0
        for resource, path in self._files:
            try:
                data = self._host.read(path)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.EOPNOTSUPP):
                    absent += 1  # irq is new and optional
                else:
                    reading.skip(reason(error))
                continue
            for line in data.split(b"\n"):
                if line:
                    self._line(resource, line, reading)
        if absent == len(self._files):
            reading.skip(_OFF)
        return reading

    def _line(self, resource: str, line: bytes, reading: Reading) -> None:
        kind, _, rest = line.partition(b" ")
        tags = self._tags.get((resource, kind))
        if tags is None:
            if kind not in (b"some", b"full"):
                reading.skip(MALFORMED)
            return
        fields: dict[str, Value] = {}
        try:
            for part in rest.split():
                name, _, number = part.partition(b"=")
                if name in (b"avg10", b"avg60", b"avg300"):
                    share = float(number)
                    if not math.isfinite(share):
                        raise ValueError(share)
                    fields[name.decode()] = share
                elif name == b"total":
                    fields["total"] = int(number)
        except ValueError:
            fields = {}
        if not fields:
            reading.skip(MALFORMED)
        reading.add("pressure", tags, fields)
