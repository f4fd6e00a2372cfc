"""The ConfigMap that collectors read.  Pure."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from nodetide_core.errors import NodetideError
from nodetide_core.policy import Policy
from nodetide_core.policy.nodes import render_nodes

__all__ = ["TooLarge", "same_content", "settings_content", "settings_document", "version_of"]

#: Bytes past which the document is compressed; people cannot read it then, but it fits.
_PLAIN = 512 * 1024
#: Bytes of a ConfigMap that etcd takes, less what is around the document.
_MOST = 1_000_000


class TooLarge(NodetideError):
    """The document does not fit into a ConfigMap; the one before stays in force."""


def settings_content(
    policies: Iterable[tuple[Policy, Mapping[str, Any]]], nodes: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """``data`` or ``binaryData`` of the ConfigMap; the same for the same world.

    Raises:
        TooLarge
    """
    text = json.dumps(render_nodes(policies, nodes), separators=(",", ":"), sort_keys=True)
    if len(text) <= _PLAIN:
        return {"data": {"settings.json": text}}
    packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
    if len(packed) > _MOST:
        raise TooLarge(
            f"the settings of {len(nodes)} nodes take {len(packed)} bytes, and a ConfigMap holds {_MOST}: copy fewer "
            "node labels (spec.collection.nodeLabels), or select nodes by fewer policies"
        )
    return {"binaryData": {"settings.json.gz": packed}}


def settings_document(content: Mapping[str, Any] | None) -> Any:
    """What a ConfigMap holds; None where that is nothing, or nothing that can be read."""
    found = content or {}
    try:
        if "settings.json" in (found.get("data") or {}):
            return json.loads(found["data"]["settings.json"])
        packed = (found.get("binaryData") or {}).get("settings.json.gz")
        return None if packed is None else json.loads(gzip.decompress(base64.b64decode(packed)))
    except (ValueError, EOFError, OSError, TypeError, zlib.error):
        return None


def same_content(found: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    """Whether a ConfigMap holds what it should, and nothing else."""
    return found is not None and all((found.get(part) or {}) == wanted.get(part, {}) for part in ("data", "binaryData"))


def version_of(content: Mapping[str, Any]) -> str:
    """Known by a few characters, for logs."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
