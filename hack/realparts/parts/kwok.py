"""kwok, which plays nodes and pods by the thousand: they turn Ready, and run nothing."""

from __future__ import annotations

from pathlib import Path

from . import gobuild
from .cached import CachedPart
from .steps import Steps

_VERSION = "0.7.0"  # as in the wrapper's go.mod
_WRAPPER = Path(__file__).resolve().parent.parent / "kwok"
_MODULE = "sigs.k8s.io/kwok"


def _build(steps: Steps, folder: Path) -> None:
    gobuild.build(
        steps,
        wrapper=_WRAPPER,
        package=f"{_MODULE}/cmd/kwok",
        output=folder / "kwok",
        variables={f"{_MODULE}/pkg/consts.Version": f"v{_VERSION}"},
    )


KWOK = CachedPart("kwok", _VERSION, "kwok", _build, lambda: gobuild.pins(_WRAPPER))
