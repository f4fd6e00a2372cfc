"""Helm, which renders and installs the chart."""

from __future__ import annotations

from pathlib import Path

from . import gobuild
from .cached import CachedPart
from .steps import Steps

_VERSION = "4.3.1"  # as in the wrapper's go.mod
_WRAPPER = Path(__file__).resolve().parent.parent / "helm"
_MODULE = "helm.sh/helm/v4"


def _build(steps: Steps, folder: Path) -> None:
    gobuild.build(
        steps,
        wrapper=_WRAPPER,
        package=f"{_MODULE}/cmd/helm",
        output=folder / "helm",
        variables={f"{_MODULE}/internal/version.version": f"v{_VERSION}"},
    )


HELM = CachedPart("helm", _VERSION, "helm", _build, lambda: gobuild.pins(_WRAPPER))
