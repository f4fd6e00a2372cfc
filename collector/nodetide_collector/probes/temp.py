"""Temperatures, from ``/sys/class/hwmon``, or from thermal zones where no chip reports any."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from nodetide_collector.host import Host, reason
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import MALFORMED, needs_linux
from nodetide_core.points import make_tags

__all__ = ["TempProbe"]

_HWMON, _ZONES = "class/hwmon", "class/thermal"
_SUFFIX = "_input"


class _Sensor(NamedTuple):
    """A sensor, what tells it from others of the same name, and the file that holds its temperature."""

    name: str
    device: str
    prefix: str
    path: str

    def names(self) -> tuple[str, str, str]:
        """Telegraf's first; two disks, or two inputs of a chip without labels, share that one."""
        return self.name, f"{self.name}_{self.device}", f"{self.name}_{self.device}_{self.prefix}"


@probe("temp")
class TempProbe:
    def __init__(self, host: Host) -> None:
        self._host = host

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            return needs_linux()
        reading = Reading()
        sensors = sorted(self._chips()) or sorted(self._zones())
        if not sensors:
            reading.skip("no sensors")
        taken: set[str] = set()
        for sensor in sensors:
            name = next((name for name in sensor.names() if name not in taken), None)
            if name is None:
                reading.skip("sensor has the name of another")
                continue
            taken.add(name)
            celsius = self._celsius(sensor.path, reading) if request.wants(name) else None
            if celsius is not None:
                reading.add("temp", make_tags({"sensor": name}), {"temp": celsius})
        return reading

    def _celsius(self, path: str, reading: Reading) -> float | None:
        try:
            celsius = float(self._host.read(path)) / 1000.0
        except OSError as error:
            reading.skip(reason(error))
            return None
        except ValueError:
            celsius = math.nan
        if not math.isfinite(celsius):
            reading.skip(MALFORMED)
            return None
        return celsius

    def _chips(self) -> Iterator[_Sensor]:
        for chip in self._names(self._host.sys_file(_HWMON)):
            base = self._host.sys_file(f"{_HWMON}/{chip}")
            folder, files = base, self._names(base)
            if not any(_is_input(file) for file in files):
                # Before Linux 3.15 some drivers put their files one folder further down.
                folder = f"{base}/device"
                files = self._names(folder)
            inputs = [file[: -len(_SUFFIX)] for file in files if _is_input(file)]
            if not inputs:
                continue
            device = self._device(base) or chip
            name = self._text(f"{folder}/name") or device
            for prefix in inputs:
                label = self._text(f"{folder}/{prefix}_label").lower().replace(" ", "_")
                sensor = f"{name}_{label}" if label else name
                yield _Sensor(sensor, device, prefix, f"{folder}/{prefix}{_SUFFIX}")

    def _zones(self) -> Iterator[_Sensor]:
        for zone in self._names(self._host.sys_file(_ZONES)):
            if zone.startswith("thermal_zone"):
                base = self._host.sys_file(f"{_ZONES}/{zone}")
                kind = self._text(f"{base}/type")
                if kind:
                    yield _Sensor(kind, zone, "temp", f"{base}/temp")

    def _text(self, path: str) -> str:
        try:
            return self._host.read(path).decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def _names(self, path: str) -> list[str]:
        """A folder that is not there is the normal case of a virtual machine."""
        try:
            return self._host.names(path)
        except OSError:
            return []

    def _device(self, base: str) -> str:
        try:
            return self._host.link_name(f"{base}/device")
        except OSError:
            return ""


def _is_input(file: str) -> bool:
    return file.startswith("temp") and file.endswith(_SUFFIX)
