"""Writes Grafana's dashboards, ``grafana/dashboards/*.json``, from the code that describes them.

    python hack/grafana/generate.py           write them
    python hack/grafana/generate.py --check   say which are out of date; exit 1 if any

To add one, write ``boards/<name>.py`` with ``BOARD`` and list it in ``BOARDS``.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: By the dashboard's file: the module that describes it.
BOARDS = {
    "system-metrics-dashboard": "system_metrics",
    "fleet-dashboard": "fleet",
    "node-dashboard": "node",
    "nodetide-dashboard": "nodetide",
    "alerts-dashboard": "alerts",
}


def render(name: str) -> str:
    """The dashboard as it should be, as JSON."""
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        board = importlib.import_module(f"boards.{BOARDS[name]}").BOARD
    finally:
        sys.path.pop(0)
    return json.dumps(board.render(), indent=2, ensure_ascii=False) + "\n"


def target(name: str) -> Path:
    """Where the dashboard lies."""
    return ROOT / "grafana" / "dashboards" / f"{name}.json"


def main(arguments: list[str]) -> int:
    stale = [name for name in BOARDS if not target(name).is_file() or target(name).read_text() != render(name)]
    if arguments == ["--check"]:
        for name in stale:
            print(f"{target(name).relative_to(ROOT)} is out of date; run hack/grafana/generate.py", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        target(name).write_text(render(name))
        print(f"wrote {target(name).relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
