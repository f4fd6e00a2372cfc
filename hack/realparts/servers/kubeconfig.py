"""How a client reaches the apiserver, and as whom."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from .certs import Pair


def write(file: Path, *, url: str, authority: Path, identity: Pair) -> Path:
    """Write a kubeconfig that holds its certificates itself, so that it may be copied alone."""
    cluster = {"server": url, "certificate-authority-data": _data(authority)}
    user = {"client-certificate-data": _data(identity.certificate), "client-key-data": _data(identity.key)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "nodetide", "cluster": cluster}],
        "users": [{"name": "nodetide", "user": user}],
        "contexts": [{"name": "nodetide", "context": {"cluster": "nodetide", "user": "nodetide"}}],
        "current-context": "nodetide",
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps(config, indent=2))  # which is YAML
    return file


def _data(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
