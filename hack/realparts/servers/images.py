"""Builds container images with buildah, from a base image of its own making: no registry, no Docker."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .program import program

_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class BuildFailed(Exception):
    """A command of buildah's failed; the message has what it said."""


class ImageBuilder:
    """Images in a store of its own. Needs root.

    Args:
        folder: where the store is, and what is built and saved goes.
        layers: whether the steps of a build are kept, and not done again by the next one that has them.
    """

    def __init__(self, folder: Path, *, layers: bool = False) -> None:
        self._folder = folder
        self._layers = layers
        store = [f"--root={folder / 'store'}", f"--runroot={folder / 'run'}", "--storage-driver=overlay"]
        self._buildah = [str(program("buildah")), *store]

    def base(self, name: str) -> None:
        """Make Debian's Python what `name` stands for: the image that a Dockerfile begins from."""
        work = self._call("from", "scratch").strip()
        self._call("add", "--quiet", work, str(program("python-base")), "/")
        # The base has the certificates that this machine trusts; pip has its own, if it is not told.
        self._call("config", "--env", f"PIP_CERT={_CERTIFICATES}", "--cmd", "python3", work)
        self._call("commit", "--quiet", "--rm", work, name)

    def build(self, context: Path, file: Path, name: str, **arguments: str) -> None:
        """Build a Dockerfile. It may ask package indexes, but no registry.

        Args:
            arguments: values of its ARGs.

        Raises:
            BuildFailed
        """
        given = [f"--build-arg={key}={value}" for key, value in arguments.items()]
        options = ["--pull=never", "--isolation=chroot", f"--layers={str(self._layers).lower()}"]
        self._call("bud", *options, *given, f"--file={file}", f"--tag={name}", str(context))

    def names(self) -> list[str]:
        """Of all images; those of a build's steps have none, and are in it by their ids."""
        return self._call("images", "--all", "--noheading", "--format={{.ID}} {{.Name}}:{{.Tag}}").splitlines()

    def has(self, name: str) -> bool:
        return any(line.split()[1].removeprefix("localhost/") == name for line in self.names())

    def config(self, name: str) -> dict[str, Any]:
        """What the image says of itself: User, Env, Entrypoint, Cmd, Labels …"""
        found: dict[str, Any] = json.loads(self._call("inspect", "--type=image", name))["OCIv1"]["config"]
        return found

    def run(self, name: str, *argv: str) -> str:
        """What a command prints in the image, as the image's user, without its entry point.

        Raises:
            BuildFailed
        """
        work = self._call("from", "--pull-never", name).strip()
        try:
            return self._call("run", "--isolation=chroot", work, "--", *argv)
        finally:
            self._call("rm", work)

    def save(self, name: str, to: Path) -> Path:
        """An archive for ``docker load``."""
        self._call("push", "--quiet", name, f"docker-archive:{to}:{name}")
        return to

    def clear(self) -> None:
        """Take the store away."""
        subprocess.run([*self._buildah, "rm", "--all"], check=False, capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _call(self, *arguments: str) -> str:
        argv = [*self._buildah, *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode != 0:
            raise BuildFailed(f"buildah {arguments[0]}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return done.stdout


@contextmanager
def image_builder(folder: Path) -> Iterator[ImageBuilder]:
    """A builder with its store in `folder`, which goes with the block."""
    builder = ImageBuilder(folder)
    try:
        yield builder
    finally:
        builder.clear()
