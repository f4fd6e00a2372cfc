"""A store whose data are functions of time, so that a test knows what the page must show."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nodetide_core.alerts.model import AlertKey
from nodetide_core.alerts.ports import AlertRecord
from nodetide_core.catalogue import CATALOGUE, Kind
from nodetide_core.errors import StoreUnavailable
from nodetide_core.points import Point, SeriesKey, make_tags
from nodetide_core.store import Aggregate, Column, Latest, RangeQuery, Stream

__all__ = ["SyntheticStore"]

GIB = 2**30
MIB = 2**20


@dataclass
class SyntheticStore:
    """One or more hosts that have been sampled for ever.

    Attributes:
        nodes: hosts with, for each, how many CPUs it has.
        stopped: Unix time of the last sample, for a collector that has stopped; None for one that runs.
        gap: a range without samples.
        broken: what the store answers instead of data.
        pressure: whether the kernel has pressure stall information.
        wild: a name given to an interface and a mount point.
        queries: every read, in order.
        records: what is remembered of alerts, of the first policy.
    """

    nodes: dict[str, int] = field(default_factory=lambda: {"node-1": 4})
    stopped: int | None = None
    gap: tuple[int, int] | None = None
    broken: str | None = None
    pressure: bool = True
    wild: str | None = None
    interval: int = 1
    policies: tuple[str, ...] = ("system-metrics",)
    clock: Callable[[], float] = time.time
    queries: list[RangeQuery] = field(default_factory=list)
    records: dict[AlertKey, AlertRecord] = field(default_factory=dict)

    async def streams(self) -> Sequence[Stream]:
        return [Stream(name, name, interval=self.interval) for name in self.policies]

    async def hosts(self, bucket: str) -> Mapping[str, int]:
        return {host: self._newest() for host in self.nodes}

    async def latest(self, bucket: str, measurements: frozenset[str], hosts: frozenset[str]) -> list[Latest]:
        await self.ready()
        now = self._newest()
        return [
            Latest(self._point(host, measurement, tags, now), self._point(host, measurement, tags, now - self.interval))
            for host in self.nodes
            if not hosts or host in hosts
            for measurement, tags in self._series(host)
            if not measurements or measurement in measurements
        ]

    async def read(self, query: RangeQuery) -> list[Column]:
        await self.ready()
        self.queries.append(query)
        found = []
        for host in self.nodes:
            for measurement, tags in self._series(host):
                all_tags = tags | {"host": host}
                if measurement != query.measurement or any(
                    all_tags.get(k) not in values for k, values in query.tags.items()
                ):
                    continue
                key = SeriesKey(measurement, make_tags(all_tags))
                for name in sorted(self._fields(host, measurement, tags, query.start).keys() & set(query.fields)):
                    t = [at for at in self._steps(query) if not self._missing(at)]
                    v = [self._aggregate(query, host, measurement, tags, name, at) for at in t]
                    found.append(Column(key, name, t, v, [float(query.step)] * len(t)))
        return found

    async def watermarks(self, bucket: str) -> Mapping[str, int]:
        now = int(self.clock())
        return {"5m": now - now % 300, "1h": now - now % 3600, "1d": now - now % 86400}

    async def alerts(self, bucket: str) -> Mapping[AlertKey, AlertRecord]:
        await self.ready()
        return self.records if bucket == self.policies[0] else {}

    async def evaluated(self, bucket: str) -> int:
        return int(self.clock())

    async def ready(self) -> None:
        if self.broken is not None:
            raise StoreUnavailable(self.broken)

    def _newest(self) -> int:
        now = int(self.clock())
        return now if self.stopped is None else min(now, self.stopped)

    def _missing(self, at: int) -> bool:
        return at > self._newest() or (self.gap is not None and self.gap[0] <= at < self.gap[1])

    def _steps(self, query: RangeQuery) -> Iterator[int]:
        yield from range(query.start - query.start % query.step, query.stop, query.step)

    def _aggregate(
        self, query: RangeQuery, host: str, measurement: str, tags: dict[str, str], name: str, at: int
    ) -> float:
        value = self._fields(host, measurement, tags, at)[name]
        if query.aggregate is Aggregate.RATE:
            return value - self._fields(host, measurement, tags, at - 1)[name]
        return value

    def _point(self, host: str, measurement: str, tags: dict[str, str], at: int) -> Point:
        fields = {
            name: value if CATALOGUE[measurement].by_name[name].type.value == "float" else int(value)
            for name, value in self._fields(host, measurement, tags, at).items()
        }
        return Point(measurement, make_tags(tags | {"host": host}), fields, at)

    def _series(self, host: str) -> Iterator[tuple[str, dict[str, str]]]:
        yield "cpu", {"cpu": "cpu-total"}
        for index in range(self.nodes[host]):
            yield "cpu", {"cpu": f"cpu{index}"}
        yield "mem", {}
        yield "swap", {}
        yield "system", {}
        for path, device in (("/", "nvme0n1p2"), ("/var/lib/containers", "nvme1n1"), (self.wild or "/data", "sdb1")):
            yield "disk", {"path": path, "device": device, "fstype": "ext4", "mode": "rw"}
        for name in ("nvme0n1", "nvme0n1p2", "nvme1n1"):
            yield "diskio", {"name": name}
        for name in ("lo", "eth0", self.wild or "eth1"):
            yield "net", {"interface": name}
        yield "net", {"interface": "all"}
        if self.pressure:
            for resource in ("cpu", "memory", "io"):
                for kind in ("some", "full"):
                    yield "pressure", {"resource": resource, "type": kind}

    def _fields(self, host: str, measurement: str, tags: dict[str, str], at: int) -> dict[str, float]:
        seed = sum(map(ord, host + "".join(tags.values()))) % 97
        wave = _wave(at, seed)
        made = getattr(self, f"_{measurement}")(wave, tags, host, at)
        kinds = CATALOGUE[measurement].by_name
        # A counter whose growth per second is the value made: the sum of the wave has a closed form only here.
        return {
            name: _grown(at, seed, value) if kinds[name].kind is Kind.COUNTER else value for name, value in made.items()
        }

    def _cpu(self, wave: float, tags: dict[str, str], host: str, at: int) -> dict[str, float]:
        busy = 8 + 62 * wave if tags["cpu"] != "cpu-total" else 18 + 34 * wave
        if tags["cpu"] == "cpu2":
            busy = 96.4
        return {
            "usage_active": busy,
            "usage_user": busy * 0.68,
            "usage_system": busy * 0.24,
            "usage_iowait": busy * 0.05,
            "usage_steal": 0.0,
        }

    def _mem(self, wave: float, tags: dict[str, str], host: str, at: int) -> dict[str, float]:
        used = (9.1 + 1.4 * wave) * GIB
        total = 15.6 * GIB
        return {"total": total, "used": used, "available": total - used, "used_percent": 100 * used / total}

    def _swap(self, wave: float, tags: dict[str, str], host: str, at: int) -> dict[str, float]:
        return {"total": 4 * GIB, "used": 0.3 * GIB, "free": 3.7 * GIB, "used_percent": 7.5}

    def _system(self, wave: float, tags: dict[str, str], host: str, at: int) -> dict[str, float]:
        return {
            "load1": 0.6 + 1.8 * wave,
            "load5": 1.1 + 0.5 * wave,
            "load15": 1.2 + 0.1 * wave,
            "n_cpus": self.nodes[host],
            "uptime": at - 1_700_000_000,
        }

    def _disk(self, wave: float, tags: dict[str, str], host: str, at: int) -> dict[str, float]:
        share = {"/": 0.412, "/var/lib/containers": 0.857}.get(tags["path"], 0.934)
        total = 256 * GIB
        return {
            "total": total,
            "used": total * share,
            "free": total * (1 - share),
            "used_percent": 100 * share,
            "inodes_total": 1e7,
            "inodes_used_percent": 12.0,
        }

    def _diskio(self, wave: float, tags: dict[str, str], host: str, at: int) -> dict[str, float]:
        return {"read_bytes": 3.1 * MIB, "write_bytes": 8.7 * MIB, "io_util": 20 * wave}

    def _net(self, wave: float, tags: dict[str, str], host: str, at: int) -> dict[str, float]:
        if tags["interface"] == "all":
            return {"tcp_retranssegs": 2.0}
        scale = {"lo": 0.02, "eth0": 1.0}.get(tags["interface"], 0.3)
        return {
            "bytes_recv": 22 * MIB * scale,
            "bytes_sent": 6 * MIB * scale,
            "err_in": 0.0,
            "err_out": 0.0,
            "drop_in": 300.0 if tags["interface"] == "eth0" else 0.0,
            "drop_out": 0.0,
            "speed": 10_000,
        }

    def _pressure(self, wave: float, tags: dict[str, str], host: str, at: int) -> dict[str, float]:
        return {"avg10": {"cpu": 2.4, "memory": 0.2, "io": 1.1}[tags["resource"]] * wave}


def _wave(at: int, seed: int) -> float:
    """Between 0 and 1, over periods from a minute to a day."""
    slow = math.sin(2 * math.pi * (at / 86_400 + seed / 7))
    middle = math.sin(2 * math.pi * (at / 1_900 + seed / 11))
    fast = math.sin(2 * math.pi * (at / 67 + seed / 13))
    return 0.5 + 0.2 * slow + 0.2 * middle + 0.1 * fast


def _grown(at: int, seed: int, scale: float) -> float:
    """A counter that grows by ``scale`` times a wave per second: the wave's integral, up to a constant."""
    parts = ((86_400, 0.2, seed / 7), (1_900, 0.2, seed / 11), (67, 0.1, seed / 13))
    turns = sum(
        -share * period / (2 * math.pi) * math.cos(2 * math.pi * (at / period + phase))
        for period, share, phase in parts
    )
    return scale * (0.5 * (at - 1_600_000_000) + turns)
