"""Alertmanager, which alerts are sent to, and amtool, its client.

Not Debian's package: its alertmanager starts only where its templates are installed in /usr/share.
"""

from __future__ import annotations

from pathlib import Path

from . import gobuild
from .cached import CachedPart
from .companion import CompanionPart
from .steps import Steps

_VERSION = "0.25.0"  # as in the wrapper's go.mod
_WRAPPER = Path(__file__).resolve().parent.parent / "alertmanager"
_VARIABLES = {"github.com/prometheus/common/version.Version": _VERSION}


def _build(steps: Steps, folder: Path) -> None:
    for name in ("alertmanager", "amtool"):
        gobuild.build(
            steps,
            wrapper=_WRAPPER,
            package=f"github.com/prometheus/alertmanager/cmd/{name}",
            output=folder / name,
            variables=_VARIABLES,
        )


ALERTMANAGER = CachedPart("alertmanager", _VERSION, "alertmanager", _build, lambda: gobuild.pins(_WRAPPER))
AMTOOL = CompanionPart("amtool", ALERTMANAGER, "amtool")
