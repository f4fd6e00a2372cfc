"""Writes Grafana's dashboards, ``grafana/dashboards/*.json``, from the code that describes them.

    python -m hack.grafana.generate           write them
    python -m hack.grafana.generate --check   say which are out of date; exit 1 if any

To add one, write ``boards/<name>.py`` with ``BOARD`` and list it in ``BOARDS``.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from hack.writing import ROOT, write_or_check

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
    return write_or_check({target(name): render(name) for name in BOARDS}, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
