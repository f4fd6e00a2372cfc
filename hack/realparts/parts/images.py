"""What builds and runs container images, and what stands in for their base image.

No registry is needed: Debian's Python takes the place of the official image, which the Dockerfiles
name. It is another version of Python, so they must not care.
"""

from __future__ import annotations

from pathlib import Path

from .cached import CachedPart
from .steps import Steps
from .system import SystemPart

_RELEASE = "bookworm"
_PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

BUILDAH = SystemPart("buildah", command="buildah", package="buildah")
DOCKERD = SystemPart("dockerd", command="dockerd", package="docker.io")
DEBOOTSTRAP = SystemPart("debootstrap", command="debootstrap", package="debootstrap")


def _build(steps: Steps, folder: Path) -> None:
    root = folder / "root"
    bootstrap = [str(DEBOOTSTRAP.get()), "--variant=minbase", f"--include={_PACKAGES}", _RELEASE, str(root)]
    steps.run(f"debootstrap {_RELEASE}", bootstrap)
    # Whom this machine trusts, it trusts as well: a mirror or proxy may have a certificate of its own.
    steps.run("copy certificates", ["cp", str(_CERTIFICATES), str(root / _CERTIFICATES.relative_to("/"))])
    left_over = [str(path) for path in (root / "var/cache/apt", root / "var/lib/apt/lists")]
    steps.run("remove caches", ["rm", "-rf", *left_over])
    steps.run("pack", ["tar", "--numeric-owner", "-C", str(root), "-cf", str(folder / "root.tar"), "."])
    steps.run("remove what is packed", ["rm", "-rf", str(root)])


PYTHON_BASE = CachedPart("python-base", _RELEASE, "root.tar", _build, _PACKAGES.encode)
