"""Load, users and uptime, from ``/proc/loadavg``, ``/proc/uptime`` and utmp."""

from __future__ import annotations

import math
import os

from nodetide_collector.host import Host, reason
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._cpulist import online_cpus
from nodetide_collector.probes._files import MALFORMED, take
from nodetide_core.points import Value

__all__ = ["SystemProbe", "count_users"]

_LOADS = ("load1", "load5", "load15")
_UTMP = ("run/utmp", "var/run/utmp")

#: Size of a utmp record: where `time_t` in it is 32 bits wide, as on x86-64, and where it is 64.
_RECORD, _WIDE_RECORD = 384, 400
_WIDE_MACHINES = frozenset({"aarch64", "riscv64", "loongarch64"})
_USER_PROCESS = 7


def count_users(utmp: bytes, machine: str) -> int:
    """Sessions of logged-in users in a utmp file (utmp(5)) written by this kind of machine."""
    size = _WIDE_RECORD if machine in _WIDE_MACHINES else _RECORD
    kinds = (int.from_bytes(utmp[at : at + 2], "little") for at in range(0, len(utmp) - size + 1, size))
    return sum(kind == _USER_PROCESS for kind in kinds)


@probe("system")
class SystemProbe:
    def __init__(self, host: Host) -> None:
        self._host = host

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            from nodetide_collector.probes import _portable

            return _portable.system(request)
        reading = Reading()
        host = self._host
        fields: dict[str, Value] = {}
        fields.update(zip(_LOADS, _floats(take(host, reading, host.proc_file("loadavg")), 3, reading), strict=False))
        cpus = online_cpus(host, reading)
        if cpus:
            fields["n_cpus"] = len(cpus)
        for uptime in _floats(take(host, reading, host.proc_file("uptime")), 1, reading):
            fields["uptime"] = int(uptime)
        users = self._users(reading)
        if users is not None:
            fields["n_users"] = users
        reading.add("system", (), fields)
        return reading

    def _users(self, reading: Reading) -> int | None:
        for name in _UTMP:
            try:
                data = self._host.read(str(self._host.root / name))
            except FileNotFoundError:
                continue
            except OSError as error:
                reading.skip(f"utmp: {reason(error)}")
                return None
            return count_users(data, os.uname().machine)
        reading.skip("no utmp")
        return None


def _floats(data: bytes | None, count: int, reading: Reading) -> list[float]:
    if data is None:
        return []
    try:
        numbers = [float(part) for part in data.split(None, count)[:count]]
    except ValueError:
        numbers = []
    if len(numbers) < count or not all(map(math.isfinite, numbers)):
        reading.skip(MALFORMED)
        return []
    return numbers
