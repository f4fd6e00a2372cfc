"""``python -m tests.bench [NAME ...]``: measures, and prints every figure beside a peer's.

Each bench is one file with ``measure() -> Iterator[Figure]``; to add one, list it in ``BENCHES``.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time

from tests.bench.figures import Figure, table

BENCHES = ("encoding", "passes", "growth", "once", "agent", "store")


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no such bench: {', '.join(unknown)} (there are: {', '.join(BENCHES)})", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in names or BENCHES:
        print(f"==> {name}", file=sys.stderr, flush=True)
        started = time.monotonic()
        for figure in importlib.import_module(f"tests.bench.{name}").measure():
            print(f"    {figure.name}: {figure.ours:.4g} {figure.unit}", file=sys.stderr, flush=True)
            figures.append(figure)
        print(f"    ({time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}\n")
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
