"""Debian packages: installed, or unpacked without installing (so no service starts)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .steps import StepFailed, Steps

_APT = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=600")
_QUIET = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


def install(steps: Steps, package: str) -> None:
    argv = [*_APT, "install", "--no-install-recommends", package]
    _updating_if_stale(steps, f"apt-get install {package}", argv)


def unpack(steps: Steps, package: str, into: Path) -> None:
    """Unpack the package's files; `package` may say a version: name=1.5.0*."""
    argv = [*_APT, "download", package]
    _updating_if_stale(steps, f"apt-get download {package}", argv, cwd=into)
    for archive in sorted(into.glob("*.deb")):
        steps.run(f"unpack {archive.name}", ["dpkg-deb", "-x", str(archive), str(into)])
        archive.unlink()


def _updating_if_stale(steps: Steps, step: str, argv: Sequence[str], cwd: Path | None = None) -> None:
    """Run apt-get; should it fail, refresh the package lists (missing or old) and try again."""
    try:
        steps.run(step, argv, cwd=cwd, env=_QUIET)
    except StepFailed:
        steps.run("apt-get update", [*_APT, "update"], env=_QUIET)
        steps.run(step, argv, cwd=cwd, env=_QUIET)
