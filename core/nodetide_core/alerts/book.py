"""The machines of one bucket that are not idle, by alert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nodetide_core.alerts.machine import ENDED
from nodetide_core.alerts.machines import Machine, Machines
from nodetide_core.alerts.model import AlertKey, Phase
from nodetide_core.alerts.notify.model import ActiveAlert
from nodetide_core.alerts.ports import AlertRecord
from nodetide_core.alerts.report import MOST_FIRING, AlertHealth, FiringSeries
from nodetide_core.alerts.texts import alert_id

__all__ = ["Book"]


class Book:
    def __init__(self) -> None:
        self._by_alert: dict[str, dict[AlertKey, Machine]] = {}

    @classmethod
    def of(cls, records: Mapping[AlertKey, AlertRecord], now: int) -> Book:
        """From what was remembered; taken for saved now."""
        book = cls()
        book.take({key: Machine(alert_id(key), record, now) for key, record in records.items()})
        return book

    @property
    def alerts(self) -> tuple[str, ...]:
        """Those of which any machine is not idle."""
        return tuple(self._by_alert)

    def of_alert(self, alert: str) -> Machines:
        return self._by_alert.get(alert, {})

    def take(self, machines: Mapping[AlertKey, Machine | None]) -> None:
        """Put these in the place of what was; None: idle."""
        for key, machine in machines.items():
            held = self._by_alert.setdefault(key.alert, {})
            if machine is not None:
                held[key] = machine
            else:
                held.pop(key, None)
                if not held:
                    del self._by_alert[key.alert]

    def active(self, now: float) -> Iterator[ActiveAlert]:
        """What fires, or ended in the last `ENDED` seconds."""
        for held in self._by_alert.values():
            for key, machine in held.items():
                record, state = machine.record, machine.record.state
                if state.phase is Phase.FIRING:
                    ends_at, reason = None, ""
                elif state.fired and now - state.left < ENDED:
                    ends_at, reason = state.left, record.reason
                else:
                    continue
                yield ActiveAlert(
                    machine.id, key.severity, record.labels, record.annotations, state.fired, ends_at, state.value,
                    reason, record.silenced,
                )  # fmt: skip

    def health(self, alert: str, error: str, evaluated: int) -> AlertHealth:
        firing, pending = [], 0
        for key, machine in self.of_alert(alert).items():
            state = machine.record.state
            if state.phase is Phase.FIRING:
                firing.append(FiringSeries(key.severity, key.tags, state.fired, state.value, machine.record.silenced))
            elif state.phase is Phase.PENDING:
                pending += 1
        firing.sort(key=lambda series: (series.since, series.severity, series.tags))
        return AlertHealth(error, pending, len(firing), tuple(firing[:MOST_FIRING]), evaluated)
