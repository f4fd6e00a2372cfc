"""Cost of a pass as cores, disks and interfaces grow, on made-up hosts."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.collecting import Passes
from tests.bench.figures import Figure, median
from tests.fixtures.hosts.big import big_host

ROUNDS = 40
#: CPUs, disks, interfaces; each twice the one before.
SIZES = ((16, 8, 32), (32, 16, 64), (64, 32, 128), (128, 64, 256))


def measure() -> Iterator[Figure]:
    before: tuple[float, int] | None = None
    for cpus, disks, interfaces in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            spent, series = _pass(Path(folder), cpus, disks, interfaces)
        name = f"CPU of a pass at {cpus} cores, {disks} disks, {interfaces} interfaces ({series} series)"
        yield Figure(
            name, "ms", spent, "half the size" if before else "", before[0] if before else None,
            "at most twice, and a little" if before else "", None if before is None else spent <= 2.2 * before[0],
        )  # fmt: skip
        before = (spent, series)


def _pass(root: Path, cpus: int, disks: int, interfaces: int) -> tuple[float, int]:
    passes = Passes(big_host(root, cpus=cpus, disks=disks, interfaces=interfaces))
    try:
        taken, series = [], 0
        for _ in range(5):
            series = len(passes.take())
        for _ in range(ROUNDS):
            before = time.process_time()
            passes.take()
            taken.append(1000 * (time.process_time() - before))
    finally:
        passes.close()
    return median(taken), series
