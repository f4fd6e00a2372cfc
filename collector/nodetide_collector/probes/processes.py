"""Processes by state, from one pass over ``/proc/<pid>/stat``."""

from __future__ import annotations

from collections import Counter

from nodetide_collector.host import Host, reason
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import MALFORMED
from nodetide_core.points import Value

__all__ = ["ProcessesProbe"]

#: By the letter in the file (proc(5)).
_STATES = {
    b"R": "running",
    b"S": "sleeping",
    b"D": "blocked",
    b"T": "stopped",
    b"t": "stopped",
    b"Z": "zombies",
    b"I": "idle",
}
#: Column of the number of threads, counted from the state, which follows the name.
_THREADS = 17


@probe("processes")
class ProcessesProbe:
    def __init__(self, host: Host) -> None:
        self._host = host

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            from nodetide_collector.probes import _portable

            return _portable.processes(request)
        reading = Reading()
        host = self._host
        try:
            # With hidepid we would see but our own processes, and call them the host's.
            host.read(host.proc_file("1/stat"))
            names = host.names(str(host.proc))
        except OSError as error:
            reading.skip(f"processes are hidden: {reason(error)}")
            return reading
        states: Counter[bytes] = Counter()
        threads = 0
        prefix = f"{host.proc}/"
        for name in names:
            if not name.isdecimal():
                continue
            try:
                stat = host.read(f"{prefix}{name}/stat")
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended meanwhile
            except OSError as error:
                reading.skip(reason(error))
                continue
            # The name stands in parentheses and may hold spaces and parentheses itself.
            columns = stat[stat.rfind(b")") + 1 :].split(None, _THREADS + 1)
            try:
                threads += int(columns[_THREADS])
                states[columns[0]] += 1
            except (ValueError, IndexError):
                reading.skip(MALFORMED)
        counts = dict.fromkeys(_STATES.values(), 0)
        for letter, state in _STATES.items():
            counts[state] += states[letter]
        fields: dict[str, Value] = {"total": sum(states.values()), **counts}
        fields["total_threads"] = threads
        reading.add("processes", (), fields)
        return reading
