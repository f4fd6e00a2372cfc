"""The kernel's clock: how far it is off, as far as is known, and whether something keeps it in time."""

from __future__ import annotations

from nodetide_collector.host import Host, reason
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import needs_linux
from nodetide_core.points import Value

__all__ = ["TimexProbe"]

#: What adjtimex returns where nobody keeps the clock in time (adjtimex(2)).
_TIME_ERROR = 5
#: The bit of the status that says in what the offset is counted.
_STA_NANO = 0x2000


@probe("timex")
class TimexProbe:
    def __init__(self, host: Host) -> None:
        self._host = host

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            return needs_linux()
        reading = Reading()
        try:
            answer = self._host.adjtimex()
        except OSError as error:
            reading.skip(reason(error))
            return reading
        fields: dict[str, Value] = {
            "offset": answer.offset / (1e9 if answer.status & _STA_NANO else 1e6),
            "estimated_error": answer.esterror / 1e6,
            "max_error": answer.maxerror / 1e6,
            "sync_status": int(answer.state != _TIME_ERROR),
        }
        reading.add("timex", (), fields)
        return reading
