"""What threads of the operator find out for each other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from nodetide_operator.node_counts import Heard
from nodetide_operator.outcomes import Downsampling

__all__ = ["Knowledge", "Known", "Shared"]

T = TypeVar("T")


class Shared(Generic[T]):
    """Something that one thread finds out and others read.

    Args:
        known: what is known at first.
        changed: called when what is known is another; that time goes on does not count.
    """

    def __init__(self, known: T, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._known = known

    def get(self) -> T:
        with self._lock:
            return self._known

    def put(self, known: T) -> None:
        with self._lock:
            same = known == self._known
            self._known = known
        if not same:
            self._changed()


@dataclass(frozen=True, slots=True)
class Known:
    """What the upkeep of InfluxDB finds out for statuses, by raw bucket; absent where nothing is known yet."""

    downsampling: Mapping[str, Downsampling] = field(default_factory=dict)
    reports: Mapping[str, Heard] = field(default_factory=dict)


class Knowledge(Shared[Known]):
    """From upkeep's thread to the reconciler's."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        super().__init__(Known(), changed)
