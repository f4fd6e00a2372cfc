"""Archives of container images, as ``docker save`` writes them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_MANIFEST = "manifest.json"


def layers(archive: Path) -> list[int]:
    """Bytes of the files of each of an image's layers, its base's first."""
    with tarfile.open(archive) as opened:
        (image,) = _manifest(opened)
        return [opened.getmember(name).size for name in image["Layers"]]


def joined(archives: Iterable[Path], to: Path) -> Path:
    """Write one archive of all their images, each layer once: most of them have the same base."""
    images: list[dict[str, Any]] = []
    written: set[str] = set()
    with tarfile.open(to, "w") as out:
        for archive in archives:
            with tarfile.open(archive) as opened:
                for image in _manifest(opened):
                    images.append(image)
                    # They are named by what they hold.
                    for name in (image["Config"], *image["Layers"]):
                        if name not in written:
                            written.add(name)
                            out.addfile(opened.getmember(name), opened.extractfile(name))
        add(out, _MANIFEST, json.dumps(images).encode())
    return to


def add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _manifest(opened: tarfile.TarFile) -> list[dict[str, Any]]:
    found = opened.extractfile(_MANIFEST)
    images: list[dict[str, Any]] = json.loads(found.read() if found else b"")
    return images
