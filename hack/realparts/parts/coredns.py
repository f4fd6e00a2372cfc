"""CoreDNS, which answers for a cluster's names."""

from __future__ import annotations

from pathlib import Path

from . import gobuild
from .cached import CachedPart
from .steps import Steps

_VERSION = "1.14.7"  # as in the wrapper's go.mod
_WRAPPER = Path(__file__).resolve().parent.parent / "coredns"


def _build(steps: Steps, folder: Path) -> None:
    gobuild.build(steps, wrapper=_WRAPPER, package="github.com/coredns/coredns", output=folder / "coredns")


COREDNS = CachedPart("coredns", _VERSION, "coredns", _build, lambda: gobuild.pins(_WRAPPER))
