"""Frequency and throttling of each CPU, from ``/sys/devices/system/cpu``."""

from __future__ import annotations

from nodetide_collector.host import Host, reason
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._cpulist import online_cpus
from nodetide_collector.probes._files import MALFORMED
from nodetide_core.points import Value

__all__ = ["LinuxCpuProbe"]

_FILES = (
    ("scaling_cur_freq", "cpufreq/scaling_cur_freq"),
    ("scaling_min_freq", "cpufreq/scaling_min_freq"),
    ("scaling_max_freq", "cpufreq/scaling_max_freq"),
    ("throttle_count", "thermal_throttle/core_throttle_count"),
)


@probe("linux_cpu")
class LinuxCpuProbe:
    def __init__(self, host: Host) -> None:
        self._host = host

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            from nodetide_collector.probes import _portable

            return _portable.linux_cpu(request)
        reading = Reading()
        if not request.per_cpu:
            return reading
        for cpu in online_cpus(self._host, reading):
            fields: dict[str, Value] = {}
            for name, file in _FILES:
                try:
                    fields[name] = int(self._host.read(self._host.sys_file(f"devices/system/cpu/cpu{cpu}/{file}")))
                except FileNotFoundError:
                    pass
                except OSError as error:
                    reading.skip(reason(error))
                except ValueError:
                    reading.skip(MALFORMED)
            reading.add("linux_cpu", (("cpu", str(cpu)),), fields)
        if not reading.samples and not reading.skipped:
            reading.skip("no cpufreq and no thermal_throttle")
        return reading
