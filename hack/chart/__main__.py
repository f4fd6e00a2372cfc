"""Writes what is generated of the chart, and the chart as plain YAML.

python -m hack.chart           write it
python -m hack.chart --check   say which files are out of date; exit 1 if any

Values are described in ``charts/nodetide/values.yaml``; what a new key may hold is told in ``kinds.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from hack.chart import copies, manifests, readme, schema
from hack.chart.keys import keys_of
from hack.writing import ROOT, check, write

CHART = ROOT / "charts" / "nodetide"
INSTALL = ROOT / "manifests" / "install"


def of_chart() -> dict[Path, str]:
    """What the chart's generated files should hold."""
    keys = keys_of((CHART / "values.yaml").read_text())
    copied = {CHART / "files" / name: text for name, text in copies.render().items()}
    return {CHART / "values.schema.json": schema.render(keys), CHART / "README.md": readme.render(keys), **copied}


def of_manifests() -> dict[Path, str]:
    """What ``manifests/install`` should hold, by the chart as it is. Raises manifests.HelmMissing."""
    return {INSTALL / name: text for name, text in manifests.render().items()}


def surplus(wanted: Mapping[Path, str], folder: Path) -> list[Path]:
    """Files that nothing makes any more."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path not in wanted]


def main(arguments: list[str]) -> int:
    chart = of_chart()
    if arguments == ["--check"]:
        return check(chart) or check(of_manifests())
    write(chart)
    try:
        rendered = of_manifests()
    except manifests.HelmMissing as error:
        print(f"{error}; manifests/install stays as it is", file=sys.stderr)
        return 0
    write(rendered)
    for path in surplus(rendered, INSTALL):
        path.unlink()
        print(f"removed {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
