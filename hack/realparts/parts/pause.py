"""The program of the container that holds a pod's namespaces, in place of the image that kubelets download."""

from __future__ import annotations

from pathlib import Path

from . import gobuild
from .cached import CachedPart
from .steps import Steps

_VERSION = "1"
_MODULE = Path(__file__).resolve().parent.parent / "pause"


def _build(steps: Steps, folder: Path) -> None:
    gobuild.build(steps, wrapper=_MODULE, package=".", output=folder / "pause")


def _recipe() -> bytes:
    return (_MODULE / "go.mod").read_bytes() + (_MODULE / "main.go").read_bytes()


PAUSE = CachedPart("pause", _VERSION, "pause", _build, _recipe)
