"""Container images of one program that needs nothing else, without any tool that builds images."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

from .archive import add

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def image(program: Path, name: str, to: Path, *, links: Sequence[str] = ()) -> Path:
    """Write an archive that `ctr images import` and `docker load` take, of an image that runs `program`.

    Args:
        name: the image's, as a pod asks for it.
        links: further names of the program, in /bin.
    """
    layer = _layer(program, links)
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": _ARCHITECTURES[os.uname().machine],
            "os": "linux",
            "config": {"Entrypoint": [f"/bin/{program.name}"], "Env": ["PATH=/bin"], "User": "65534:65534"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}.tar"]}]
    files = {config_name: config, f"{digest}.tar": layer, "manifest.json": json.dumps(manifest).encode()}
    with tarfile.open(to, "w") as archive:
        for file, content in files.items():
            add(archive, file, content)
    return to


def _layer(program: Path, links: Sequence[str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as layer:
        add(layer, f"bin/{program.name}", program.read_bytes(), 0o755)
        for link in links:
            entry = tarfile.TarInfo(f"bin/{link}")
            entry.type, entry.linkname = tarfile.SYMTYPE, program.name
            layer.addfile(entry)
    return packed.getvalue()
