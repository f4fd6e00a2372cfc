"""Documents in MessagePack that follow one another, read as they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgpack import Unpacker

__all__ = ["Documents"]

#: Bytes with which it is worth a try to read the first document.
_FIRST = 12_000


class Documents:
    """Each is what `json.loads` gives of the same in JSON, but for tuples in place of lists.

    Args:
        take: called with each as soon as it is whole.
    """

    def __init__(self, take: Callable[[Any], None]) -> None:
        self._take = take
        self._unpacker = Unpacker(use_list=False, unicode_errors="replace", max_buffer_size=0)
        self._fed = self._read = 0
        self._worth = _FIRST
        self._failure: ValueError | None = None

    def feed(self, part: bytes) -> None:
        """What comes next; what is wrong with it is told at the end."""
        self._unpacker.feed(part)
        self._fed += len(part)
        # One that breaks off is read from its beginning the next time.
        if self._fed - self._read >= self._worth:
            self._worth = (self._fed - self._read) * 3 // 2
            self._unpack()

    def end(self) -> None:
        """Nothing comes any more.

        Raises:
            ValueError: the last breaks off, or one is no MessagePack.
        """
        self._unpack()
        if self._failure is not None:
            raise self._failure
        if self._read < self._fed:
            raise ValueError("it breaks off")

    def _unpack(self) -> None:
        if self._failure is not None:
            return
        try:
            for document in self._unpacker:
                self._take(document)
                end = self._unpacker.tell()
                # The next one will be about as long.
                self._read, self._worth = end, end - self._read
        except ValueError as failure:
            self._failure = failure
