"""Docker Compose: reads, checks and resolves docker-compose.yml, for which it needs no Docker."""

from __future__ import annotations

from pathlib import Path

from . import gobuild
from .cached import CachedPart
from .steps import Steps

_VERSION = "5.6.0"  # as in the wrapper's go.mod
_WRAPPER = Path(__file__).resolve().parent.parent / "compose"
_MODULE = "github.com/docker/compose/v5"


def _build(steps: Steps, folder: Path) -> None:
    gobuild.build(
        steps,
        wrapper=_WRAPPER,
        package=f"{_MODULE}/cmd",
        output=folder / "docker-compose",
        variables={f"{_MODULE}/internal.Version": f"v{_VERSION}"},
    )


DOCKER_COMPOSE = CachedPart("docker-compose", _VERSION, "docker-compose", _build, lambda: gobuild.pins(_WRAPPER))
