"""``python -m tests.bench.store_size [HOURS] [DIRECTORY]``: what the embedded store takes and how long it needs.

Simulates one node with four CPUs, every default group at its default interval, and values that move
as a host's do.  Ticks are committed by the minute while simulating, and one by one where a write is
timed.  The figures in docs/adr/0002 come from here.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from nodetide_core.catalogue import CATALOGUE, Field, Kind, Type, Unit
from nodetide_core.points import Point, Tags, Value, make_tags
from nodetide_core.store import Aggregate, RangeQuery, Stream
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.tiers import DEFAULT_TIERS

EPOCH = 20_000 * 86_400
MEMORY = 16_777_216_000


SERIES: dict[str, list[dict[str, str]]] = {
    "cpu": [{"cpu": name} for name in ("cpu-total", "cpu0", "cpu1", "cpu2", "cpu3")],
    "linux_cpu": [{"cpu": str(at)} for at in range(4)],
    "disk": [{"path": path, "device": "sda1", "fstype": "ext4", "mode": "rw"} for path in ("/", "/boot")],
    "diskio": [{"name": name} for name in ("sda", "sda1", "sda2")],
    "net": [{"interface": name} for name in ("eth0", "eth1", "lo", "all")],
    "pressure": [{"resource": r, "type": t} for r, t in (("cpu", "some"), ("io", "some"), ("io", "full"))],
    "temp": [{"sensor": f"core{at}"} for at in range(4)],
    "softnet": [{"cpu": f"cpu{at}"} for at in range(4)],
    "collector": [{"group": measurement.name} for measurement in CATALOGUE],
}


class Host:
    """Values that wander: noise, bursts, counters that follow the load, much that never changes."""

    def __init__(self) -> None:
        self._random = random.Random(1)
        self._load = 0.2
        self._state: dict[tuple[str, Tags, str], float] = {}
        self._series = [
            (measurement, make_tags({"host": "node-1", **tags}), self._fields(measurement.name, tags))
            for measurement in CATALOGUE
            for tags in SERIES.get(measurement.name, [{}])
        ]

    def _fields(self, measurement: str, tags: dict[str, str]) -> tuple[Field, ...]:
        fields = CATALOGUE[measurement].fields
        if measurement == "net":
            protocol = tags["interface"] == "all"
            fields = tuple(f for f in fields if f.name.startswith(("tcp", "udp")) == protocol)
        if measurement == "collector":
            fields = tuple(f for f in fields if f.name in ("duration_ms", "success", "series", "errors", "skipped"))
        return fields

    def tick(self, now: int) -> list[Point]:
        draw = self._random
        self._load = min(0.98, max(0.02, self._load + draw.gauss(0, 0.02) - (self._load - 0.25) * 0.01))
        if draw.random() < 0.01:
            self._load = draw.random()
        return [
            Point(m.name, tags, {f.name: self._value(m.name, tags, f) for f in fields}, now)
            for m, tags, fields in self._series
            if now % (m.interval or 1) == 0
        ]

    def _value(self, measurement: str, tags: Tags, field: Field) -> Value:
        draw, load, name = self._random, self._load, field.name
        key = (measurement, tags, name)
        before = self._state.get(key)
        if before is None:
            before = self._state[key] = float(abs(hash((measurement, name))) % 10**6)
        if field.kind is Kind.COUNTER:
            if name.startswith(
                ("err", "drop", "tcp", "udp", "oom", "pswp", "throttle", "errors", "skipped", "squeezed")
            ):
                step = float(draw.random() < 0.01)
            elif measurement == "cpu":
                idle = name in ("time_idle",)
                busy = name in ("time_user", "time_system", "time_active")
                step = round(100 * (1 - load if idle else load * draw.random() if busy else draw.random() < 0.02)) / 100
            else:
                step = float(int(load * draw.expovariate(1 / (200_000 if "bytes" in name else 200))))
            self._state[key] = before + step
            return round(before + step, 2) if field.type is Type.FLOAT else int(before + step)
        if field.unit is Unit.PERCENT:
            if measurement == "cpu":
                jiffies = 400 if tags[0][1] == "cpu-total" else 100
                share = load if name in ("usage_active", "usage_user") else 1 - load if name == "usage_idle" else 0.002
                return 100.0 * int(share * jiffies + draw.random()) / jiffies
            if measurement == "mem":
                self._state[key] = before = (before + draw.gauss(0, 60)) % 4_000_000
                return 100.0 * int(before) * 4_096 / MEMORY
            return round(100 * load * draw.random(), 2)
        if field.unit is Unit.BYTES and name not in ("total", "commit_limit", "huge_page_size"):
            self._state[key] = before = abs(before + draw.gauss(0, 60))
            return int(before) * 4_096
        if name.startswith("load"):
            return round(4 * load, 2)
        if field.unit is Unit.MILLISECONDS:
            return abs(draw.gauss(0.4, 0.1))
        if name in ("running", "tcp_established", "tcp_tw", "sockets_used", "temp"):
            return float(int(20 + 5 * load)) if field.type is Type.FLOAT else int(20 + 5 * draw.random())
        return before if field.type is Type.FLOAT else int(before)


def main(hours: int, directory: Path) -> None:
    host, clock = Host(), [EPOCH]
    store = EmbeddedStore.open(directory, clock=lambda: clock[0])
    store.ensure([Stream("system", "system", DEFAULT_TIERS)])
    first = host.tick(EPOCH)
    print(f"{len(first)} series, {sum(len(point.fields) for point in first)} values a full tick")
    upkeep: list[float] = []
    minute = list(range(60))
    for at in range(0, hours * 3_600, 60):
        points = [point for second in minute for point in host.tick(EPOCH + at + second)]
        clock[0] = EPOCH + at + 60
        store.write("system", points)
        upkeep += timed(lambda: store.rollup(clock[0]))
        if (at + 60) % (6 * 3_600) == 0:
            print(f"{(at + 60) // 3_600:4d} h: {size(directory) / 1e6:6.1f} MB on disk, {memory():.0f} MB in memory")
    while store.rollup(clock[0]).remaining:
        pass
    report("upkeep, a minute of data", upkeep)
    report("an fsync of 12 kB, to compare", list(syncs(directory)))
    report("one tick, durable", list(ticks(store, host, clock, 1_200)))
    latencies = list(ticks_during_upkeep(store, host, clock))
    report("one tick, durable, while a block is sealed", latencies)
    reads(store, clock[0])
    report("open", opening(store, directory, clock))


def syncs(directory: Path) -> Iterator[float]:
    with (directory / "sync").open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(bytes(12_000))
            yield from timed(lambda: os.fsync(file.fileno()))
    (directory / "sync").unlink()


def ticks(store: EmbeddedStore, host: Host, clock: list[int], count: int) -> Iterator[float]:
    for _ in range(count):
        clock[0] += 1
        points = host.tick(clock[0])
        yield from timed(lambda points=points: store.write("system", points))


def ticks_during_upkeep(store: EmbeddedStore, host: Host, clock: list[int]) -> Iterator[float]:
    # To the end of the block and past its settling, so that upkeep has a whole one to seal.
    for _ in ticks(store, host, clock, 1_800 - clock[0] % 1_800 + 100):
        pass
    took: list[float] = []
    upkeep = threading.Thread(target=lambda: took.extend(timed(lambda: store.rollup(clock[0]))))
    upkeep.start()
    while upkeep.is_alive():
        yield from ticks(store, host, clock, 1)
    print(f"  (upkeep with sealing took {1e3 * took[0]:.0f} ms)")


def reads(store: EmbeddedStore, now: int) -> None:
    raw, five, _, day = DEFAULT_TIERS.tiers

    def ask(
        name: str,
        tier,
        measurement: str,
        fields: tuple[str, ...],
        span: int,
        step: int,
        aggregate: Aggregate,
        **tags: str,
    ) -> None:
        chosen = {key: frozenset({value}) for key, value in tags.items()}
        query = RangeQuery("system", tier, measurement, fields, now - span, now, step, aggregate, chosen)
        times, found = [], 0
        for _ in range(15):
            started = time.perf_counter()
            found = sum(len(column.t) for column in asyncio.run(store.read(query)))
            times.append(time.perf_counter() - started)
        report(f"{name} ({found} values)", times)

    total = {"cpu": "cpu-total"}
    ask("24 h raw at 5 m, gauge", raw, "cpu", ("usage_active",), 86_400, 300, Aggregate.MEAN, **total)
    ask("24 h raw at 5 m, counter", raw, "net", ("bytes_recv",), 86_400, 300, Aggregate.RATE, interface="eth0")
    fields = tuple(f"usage_{mode}" for mode in ("user", "system", "idle", "nice", "iowait", "irq", "softirq", "steal"))
    ask("1 h raw at 1 s, 8 fields", raw, "cpu", fields, 3_600, 1, Aggregate.MEAN, **total)
    counters = ("bytes_sent", "bytes_recv", "packets_sent", "packets_recv")
    ask("1 h raw at 1 s, 4 counters", raw, "net", counters, 3_600, 1, Aggregate.RATE, interface="eth0")
    ask("5 m raw at 1 s", raw, "cpu", ("usage_active",), 300, 1, Aggregate.MEAN, **total)
    ask("24 h from 5 m", five, "cpu", ("usage_active",), 86_400, 300, Aggregate.MEAN, **total)
    ask("24 h from 5 m, counter", five, "net", ("bytes_recv",), 86_400, 300, Aggregate.RATE, interface="eth0")
    ask("1 y from 1 d", day, "cpu", ("usage_active",), 365 * 86_400, 86_400, Aggregate.MEAN, **total)
    times = []
    for _ in range(15):
        times += timed(lambda: asyncio.run(store.latest("system", frozenset(), frozenset())))
    report("latest of everything", times)


def opening(store: EmbeddedStore, directory: Path, clock: list[int]) -> list[float]:
    found = []
    for _ in range(3):
        store.close()
        started = time.perf_counter()
        store = EmbeddedStore.open(directory, clock=lambda: clock[0])
        found.append(time.perf_counter() - started)
    store.close()
    return found


def timed(work: Callable[[], object]) -> list[float]:
    started = time.perf_counter()
    work()
    return [time.perf_counter() - started]


def report(name: str, times: list[float]) -> None:
    ordered = sorted(times)
    at = [1e3 * ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0, 0.5, 0.99, 1)]
    print(f"{name}: best {at[0]:.2f}, median {at[1]:.2f}, p99 {at[2]:.2f}, worst {at[3]:.2f} ms", flush=True)


def size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.iterdir())


def memory() -> float:
    """Resident megabytes."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1_024


if __name__ == "__main__":
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    if len(sys.argv) > 2:
        main(asked, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(asked, Path(temporary))
