"""kind, which makes a cluster of Docker containers: here it can read its configuration and say what it would start."""

from __future__ import annotations

from pathlib import Path

from . import gobuild
from .cached import CachedPart
from .steps import Steps

_VERSION = "0.33.0"  # as in the wrapper's go.mod
_WRAPPER = Path(__file__).resolve().parent.parent / "kind"


def _build(steps: Steps, folder: Path) -> None:
    gobuild.build(steps, wrapper=_WRAPPER, package="sigs.k8s.io/kind", output=folder / "kind", variables={})


KIND = CachedPart("kind", _VERSION, "kind", _build, lambda: gobuild.pins(_WRAPPER))
