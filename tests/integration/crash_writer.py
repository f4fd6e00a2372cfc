"""``python -m tests.integration.crash_writer DIRECTORY START``: writes and rolls up at full speed from
the time START on, until killed; prints each time once it is acknowledged.

What is written at a time follows from the time alone, so that whoever reads it knows what to expect.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from nodetide_core.points import Point, make_tags
from nodetide_core.store import Stream
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.tiers import RAW, Tier, Tiers

__all__ = ["BLOCK", "STREAM", "points"]

STREAM = Stream("p", "b", Tiers((Tier(RAW, 0, 900), Tier("10s", 10, 4_000), Tier("60s", 60, 0)), counter_gap=15))
BLOCK = 60
TAGS = make_tags({"host": "a"})


def points(time: int) -> list[Point]:
    """A gauge; a counter that starts anew now and then; and sometimes the gauge of some time ago, again."""
    found = [
        Point("system", TAGS, {"load1": (time * 7_919 % 1_000) / 8}, time),
        Point("kernel", TAGS, {"context_switches": 3 * (time % 777) + time % 2}, time),
    ]
    behind = time % 400
    if time % 13 == 0 and behind:
        found.append(Point("system", TAGS, {"load1": float(behind)}, time - behind))
    return found


def main(directory: Path, start: int) -> None:
    now = [start]
    store = EmbeddedStore.open(directory, clock=lambda: now[0], block_seconds=BLOCK)
    store.ensure([STREAM])

    def upkeep() -> None:
        while True:
            store.rollup(now[0])

    threading.Thread(target=upkeep, daemon=True).start()
    while True:
        store.write(STREAM.bucket, points(now[0]))
        os.write(1, f"{now[0]}\n".encode())
        now[0] += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
