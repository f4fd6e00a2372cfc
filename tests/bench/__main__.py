"""``python -m tests.bench [NAME ...]``: measures, and prints every figure beside a peer's.

Each bench is one file with ``measure() -> Iterator[Figure]``; to add one, list it in ``BENCHES``, or in ``LONG`` if
it takes minutes: then it runs only where it is named.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time
import traceback
from pathlib import Path

from tests.bench.figures import Figure, table

BENCHES = (
    "encoding",
    "passes",
    "growth",
    "once",
    "agent",
    "store",
    "alerts",
    "influx_write",
    "influx_read",
    "influx_api",
    "influx_rollup",
    "influx_alerts",
    "operator_scale",
)
LONG = ("influx_cost", "influx_disk", "fleet")


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHES + LONG]
    if unknown:
        print(f"no such bench: {', '.join(unknown)} (there are: {', '.join(BENCHES + LONG)})", file=sys.stderr)
        return 2
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "hack" / "realparts"))
    figures: list[Figure] = []
    failed: list[str] = []
    for name in names or BENCHES:
        print(f"==> {name}", file=sys.stderr, flush=True)
        started = time.monotonic()
        try:
            for figure in importlib.import_module(f"tests.bench.{name}").measure():
                print(f"    {figure.name}: {figure.ours:.4g} {figure.unit}", file=sys.stderr, flush=True)
                figures.append(figure)
        except Exception:
            # The others' figures are worth having all the same.
            traceback.print_exc()
            failed.append(name)
        print(f"    ({time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}\n")
    print(table(figures))
    if failed:
        print(f"error: no figures from {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
