"""What the upkeep of InfluxDB finds out for statuses, passed between its thread and the reconciler's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nodetide_operator.node_counts import Heard
from nodetide_operator.outcomes import Downsampling

__all__ = ["Knowledge", "Known"]


@dataclass(frozen=True, slots=True)
class Known:
    """By raw bucket; absent where nothing is known yet."""

    downsampling: Mapping[str, Downsampling] = field(default_factory=dict)
    reports: Mapping[str, Heard] = field(default_factory=dict)


class Knowledge:
    """
    Args:
        changed: called when what is known is another; that time goes on does not count.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._known = Known()

    def get(self) -> Known:
        with self._lock:
            return self._known

    def put(self, known: Known) -> None:
        with self._lock:
            same = known == self._known
            self._known = known
        if not same:
            self._changed()
