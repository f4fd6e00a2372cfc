"""Objects of one kind, as a watch and lists tell of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["Holding", "Thing"]


class Thing(Protocol):
    """An object of Kubernetes.

    Attributes:
        key: by which there is one at a time.
        uid: by which there is one ever.
        version: ``resourceVersion``, which grows.
        asked: what of it a turn acts upon.
    """

    @property
    def key(self) -> Any: ...
    @property
    def uid(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def asked(self) -> Any: ...


T = TypeVar("T", bound=Thing)


class Holding(Generic[T]):
    """Not safe to share between threads.

    Attributes:
        things: by key.
    """

    def __init__(self) -> None:
        self.things: dict[Any, T] = {}
        self._touched: set[Any] = set()
        #: What a list has shown and the watch has not told of since, and since when.
        self._owed: dict[Any, float] = {}

    def seen(self, found: T, *, deleted: bool = False) -> bool:
        """An event of the watch; whether a turn must look at it."""
        self._touched.add(found.key)
        self._owed.pop(found.key, None)
        before = self.things.get(found.key)
        # Events of one object come in order; not so those of two that bear one name after the other.
        if before is not None and _older(found, before):
            return False
        if deleted:
            if before is None or before.uid != found.uid:
                return False
            del self.things[found.key]
            return True
        self.things[found.key] = found
        return before is None or before.asked != found.asked

    def written(self, found: T) -> None:
        """What the apiserver answered to a write, before the watch tells of it."""
        before = self.things.get(found.key)
        if before is not None and before.asked == found.asked and not _older(found, before):
            self.things[found.key] = found

    def listing(self) -> None:
        """A list begins now: what the watch tells until `listed` is newer than it is."""
        self._touched.clear()

    def listed(self, things: Iterable[T], stays: Callable[[T], bool], now: float) -> bool:
        """Take a list for what there is; whether it shows what was not known.

        Args:
            stays: whether something that is held and not listed is there all the same.
            now: any seconds that grow.
        """
        found = {thing.key: thing for thing in things}
        found.update({key: thing for key, thing in self.things.items() if key not in found and stays(thing)})
        for key in self._touched:
            found.pop(key, None)
            if key in self.things:
                found[key] = self.things[key]
        shown = {key for key, thing in found.items() if not self._known(key, thing)}
        gone = self.things.keys() - found.keys()
        self._owed = {key: self._owed.get(key, now) for key in found if key in shown or key in self._owed}
        self.things = found
        return bool(shown or gone)

    def overdue(self, now: float) -> float:
        """Seconds for which the watch has owed something that a list has shown.

        Deletions do not count: those that come while a watch is begun anew are never told.
        """
        return now - min(self._owed.values(), default=now)

    def _known(self, key: Any, thing: T) -> bool:
        return key in self.things and self.things[key].asked == thing.asked


def _older(found: Thing, known: Thing) -> bool:
    versions = found.version, known.version
    return all(version.isdecimal() for version in versions) and int(found.version) < int(known.version)
