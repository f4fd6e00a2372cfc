"""What one receiver has acknowledged: in memory at once, in the store as soon as it takes it."""

from __future__ import annotations

from collections.abc import Mapping

from nodetide_core.alerts.ports import AlertMemory, Told, ToldKey

__all__ = ["Acks"]

#: Seconds after which everything is saved again although nothing happened, or retention, which is an hour at least,
#: would forget what receivers were told of alerts that fire for longer.
_SAVE_AGAIN = 1_800


class Acks:
    """Not for two threads at once, but that `save` and `load` may run while another thread reads `told`.

    Attributes:
        loaded: whether `told` is what the store remembers.
    """

    def __init__(self, bucket: str, receiver: str, memory: AlertMemory) -> None:
        self.loaded = False
        self._bucket = bucket
        self._receiver = receiver
        self._memory = memory
        self._told: dict[ToldKey, Told] = {}
        self._unsaved: dict[ToldKey, Told | None] = {}
        self._saved_at: int | None = None

    @property
    def told(self) -> Mapping[ToldKey, Told]:
        return self._told

    @property
    def unsaved(self) -> bool:
        return bool(self._unsaved)

    def load(self) -> None:
        """
        Raises:
            StoreUnavailable, StoreRejected
        """
        remembered = self._memory.remembered(self._bucket).told
        self._told = {key: told for key, told in remembered.items() if key.receiver == self._receiver}
        # How long ago it was saved is not known.
        self._unsaved = dict(self._told)
        self.loaded = True

    def book(self, key: ToldKey, told: Told | None) -> None:
        """Take this over; None forgets."""
        if told is None:
            self._told.pop(key, None)
        else:
            self._told[key] = told
        self._unsaved[key] = told

    def keep(self, now: int) -> None:
        """See to it that nothing is forgotten by its age; to be called every few minutes, ``now`` in Unix seconds."""
        if self._saved_at is None:
            self._saved_at = now
        elif not 0 <= now - self._saved_at < _SAVE_AGAIN:
            self._saved_at = now
            self._unsaved = {**self._told, **self._unsaved}

    def taken(self) -> Mapping[ToldKey, Told | None]:
        """All that the store does not know yet; to be given to `save`."""
        return dict(self._unsaved)

    def save(self, entries: Mapping[ToldKey, Told | None], now: int) -> None:
        """
        Raises:
            StoreUnavailable, StoreRejected: they stay unsaved.
        """
        self._memory.remember(self._bucket, {}, entries, now)

    def saved(self, entries: Mapping[ToldKey, Told | None]) -> None:
        """These are in the store now."""
        for key, told in entries.items():
            if key in self._unsaved and self._unsaved[key] == told:
                del self._unsaved[key]
