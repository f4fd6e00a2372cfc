"""Names of devices and interfaces as tags, made once per name."""

from __future__ import annotations

from nodetide_core.points import Tags, make_tags

__all__ = ["TagCache"]

_MOST = 10_000


class TagCache:
    """The text and the tags of a name as the kernel wrote it; names need not be UTF-8.

    It starts afresh past a number of names, so that names that come and go (of pods' interfaces)
    cannot fill the memory.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._known: dict[bytes, tuple[str, Tags]] = {}

    def get(self, name: bytes) -> tuple[str, Tags]:
        found = self._known.get(name)
        if found is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            text = name.decode("utf-8", "replace")
            found = self._known[name] = (text, make_tags({self._key: text}))
        return found
