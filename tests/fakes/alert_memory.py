"""An `AlertMemory` that remembers what receivers were told, and can fail."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from nodetide_core.alerts.model import AlertKey
from nodetide_core.alerts.ports import AlertRecord, Remembered, Told, ToldKey
from nodetide_core.errors import StoreUnavailable

__all__ = ["Killed", "ToldMemory"]


class Killed(BaseException):
    """The process ends here."""


class ToldMemory:
    """
    Attributes:
        down: raise StoreUnavailable.
        kill: raise Killed instead of remembering, once.
        retention: seconds for which `expire` leaves what was saved.
    """

    def __init__(self) -> None:
        self.told: dict[str, dict[ToldKey, Told]] = {}
        self.down = False
        self.kill = False
        self.saves = 0
        self.retention = 0
        self._saved: dict[tuple[str, ToldKey], int] = {}
        self._lock = threading.Lock()

    def remembered(self, bucket: str) -> Remembered:
        with self._lock:
            if self.down:
                raise StoreUnavailable("the store is down")
            return Remembered({}, dict(self.told.get(bucket, {})))

    def expire(self, now: float) -> None:
        """What a store does by and by with what is older than its retention."""
        with self._lock:
            for bucket, held in self.told.items():
                for key in [key for key in held if self._saved[bucket, key] < now - self.retention]:
                    del held[key]

    def remember(
        self,
        bucket: str,
        records: Mapping[AlertKey, AlertRecord | None],
        told: Mapping[ToldKey, Told | None],
        now: int,
    ) -> None:
        with self._lock:
            assert not records and told and now > 0
            if self.kill:
                self.kill = False
                raise Killed
            if self.down:
                raise StoreUnavailable("the store is down")
            self.saves += 1
            held = self.told.setdefault(bucket, {})
            for key, entry in told.items():
                self._saved[bucket, key] = now
                if entry is None:
                    held.pop(key, None)
                else:
                    held[key] = entry
