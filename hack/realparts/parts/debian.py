"""A Debian package's programs, unpacked into the cache and not installed: no service starts."""

from __future__ import annotations

from pathlib import Path

from . import apt, cache
from .cached import CachedPart
from .steps import Steps


def unpacked(name: str, *, package: str, version: str, program: str, epoch: str = "") -> CachedPart:
    """`version` is upstream's, of any Debian revision; `program` is a path in the package.

    `epoch`, with its colon, is what Debian puts before the version, where it does.
    """

    def build(steps: Steps, folder: Path) -> None:
        with cache.locked("apt"):
            apt.unpack(steps, f"{package}={epoch}{version}*", folder)

    return CachedPart(name, version, program, build)
