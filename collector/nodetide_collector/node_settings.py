"""Policies of this node as the operator renders them: a ConfigMap mounted as a directory."""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nodetide_collector.policies import WatchedPolicies
from nodetide_core.errors import PolicyError, Problem
from nodetide_core.policy import Policy
from nodetide_core.policy.nodes import policies_of_node

__all__ = ["NodeSettings"]

log = logging.getLogger(__name__)

#: Where the document is; compressed where it is large.
_PLAIN, _PACKED = "settings.json", "settings.json.gz"
#: Bytes of the document, unpacked.
_MAX_BYTES = 32 << 20


class NodeSettings(WatchedPolicies):
    """A `Policies` of the operator's document; as long as there is none yet, there are no policies.

    Args:
        directory: as mounted, never by `subPath`, which is not kept up to date.
        node: the node's name.
    """

    def __init__(self, directory: Path, node: str) -> None:
        super().__init__(directory, lambda path: policies_of_node(_document(path), node))

    def load(self) -> Sequence[Policy]:
        try:
            return super().load()
        except PolicyError as error:
            # What is missing or wrong is mended elsewhere, and looked for again every second.
            self.failed()
            log.warning("nothing is collected yet: %s", error)
            return []


def _document(directory: Path) -> Any:
    try:
        packed, plain = directory / _PACKED, directory / _PLAIN
        if packed.exists():
            with gzip.open(packed) as file:
                content = file.read(_MAX_BYTES + 1)
        elif plain.exists():
            content = plain.read_bytes()
        else:
            raise PolicyError([Problem("", "has no node settings; the operator writes them")], str(directory))
        if len(content) > _MAX_BYTES:
            raise PolicyError([Problem("", f"is larger than {_MAX_BYTES} bytes")], str(directory))
        return json.loads(content)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise PolicyError([Problem("", f"cannot be read: {error}")], str(directory)) from error
