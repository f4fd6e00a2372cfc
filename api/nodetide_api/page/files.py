"""The page's files, read once: what is not in this table cannot be asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

__all__ = ["PageFile", "page_files"]

#: By suffix, and not from the system's table, which may not know JavaScript modules.
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_CHARTS = "dygraphs"


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file and what its answer says of it."""

    content: bytes
    media_type: str
    etag: str


def page_files() -> Mapping[str, PageFile]:
    """All files of the page by their path below ``/static/``; the chart library comes from its own package.

    Raises:
        ModuleNotFoundError: the package ``dygraphs`` (extra ``api``) is not installed.
    """
    own = Path(__file__).with_name("static")
    found = {path.name: _read(path) for path in sorted(own.iterdir()) if path.suffix in _MEDIA_TYPES}
    return found | {"vendor/dygraph.js": _read(_chart_library())}


def _chart_library() -> Path:
    # Found, not imported: the package brings Python wrappers that take 40 ms and serve nobody here.
    spec = find_spec(_CHARTS)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the live page needs the package dygraphs; install nodetide[api]", name=_CHARTS)
    return Path(spec.submodule_search_locations[0], "assets", "dygraph-combined.js")


def _read(path: Path) -> PageFile:
    content = path.read_bytes()
    return PageFile(content, _MEDIA_TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:20]}"')
