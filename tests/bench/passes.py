"""One pass of all default groups, beside one refresh of Glances."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

from tests.bench.collecting import Passes
from tests.bench.figures import Figure, median

PASSES, REFRESHES = 200, 12

#: Glances keeps state in its own process; it prints CPU milliseconds per refresh.
_GLANCES = f"""
import sys, time
sys.argv = ["glances"]
from glances.main import GlancesMain
from glances.stats import GlancesStats
main = GlancesMain()
stats = GlancesStats(config=main.get_config(), args=main.get_args())
stats.update()
for _ in range({REFRESHES}):
    time.sleep(2.1)  # it reads most things at most every 2 s
    before = time.process_time()
    stats.update()
    print(1000 * (time.process_time() - before))
"""


def measure() -> Iterator[Figure]:
    glances = subprocess.Popen([sys.executable, "-c", _GLANCES], stdout=subprocess.PIPE, text=True)
    rested, _ = _ours(pause=0.1)
    printed, _ = glances.communicate(timeout=120)
    _, wall = _ours(pause=0.0)
    theirs = median([float(line) for line in printed.split()])
    yield Figure(
        "CPU of one pass, all default groups, each after a rest", "ms", median(rested), "Glances refresh", theirs,
        "at most a sixth", median(rested) <= theirs / 6,
    )  # fmt: skip
    yield Figure("one pass, one after the other", "ms", median(wall), bar="below 3 ms", met=median(wall) < 3)


def _ours(*, pause: float) -> tuple[list[float], list[float]]:
    """CPU and wall milliseconds of passes; after a pause caches are cold, which costs about as much again."""
    passes = Passes()
    cpu, wall = [], []
    try:
        for _ in range(10):
            passes.take()
        for _ in range(PASSES):
            time.sleep(pause)
            cpu_before, wall_before = time.process_time(), time.perf_counter()
            passes.take()
            wall.append(1000 * (time.perf_counter() - wall_before))
            cpu.append(1000 * (time.process_time() - cpu_before))
    finally:
        passes.close()
    return cpu, wall
