"""Network interfaces, from ``/proc/1/net/dev``, and the node's TCP and UDP troubles, from ``snmp`` beside it."""

from __future__ import annotations

from nodetide_collector.host import Host
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import MALFORMED, take_init
from nodetide_collector.probes._link_speed import LinkSpeeds
from nodetide_collector.probes._names import TagCache
from nodetide_core.points import Value

__all__ = ["NetProbe", "protocol_counters"]

_ALL = "all"
_TROUBLES = {
    b"Tcp:": {
        b"RetransSegs": "tcp_retranssegs",
        b"OutRsts": "tcp_outrsts",
        b"EstabResets": "tcp_estabresets",
        b"AttemptFails": "tcp_attemptfails",
        b"InErrs": "tcp_inerrs",
    },
    b"Udp:": {
        b"InErrors": "udp_inerrors",
        b"NoPorts": "udp_noports",
        b"RcvbufErrors": "udp_rcvbuferrors",
        b"SndbufErrors": "udp_sndbuferrors",
    },
}
_COLUMNS = 16


@probe("net")
class NetProbe:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._speeds = LinkSpeeds(host)
        self._tags = TagCache("interface")

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            from nodetide_collector.probes import _portable

            return _portable.net(request)
        reading = Reading()
        data = take_init(self._host, reading, "net/dev")
        if data is not None:
            self._speeds.begin_pass()
            for line in data.split(b"\n"):
                # The two lines of headings have bars; an old kernel leaves no space behind the colon.
                if line and b"|" not in line:
                    self._interface(line, request, reading)
        if request.wants(_ALL):
            data = take_init(self._host, reading, "net/snmp")
            if data is not None:
                reading.add("net", (("interface", _ALL),), protocol_counters(data, reading))
        return reading

    def _interface(self, line: bytes, request: Request, reading: Reading) -> None:
        raw, colon, counters = line.rpartition(b":")
        if not colon:
            reading.skip(MALFORMED)
            return
        name, tags = self._tags.get(raw.strip())
        if not request.wants(name):
            return
        columns = counters.split(None, _COLUMNS)
        try:
            fields: dict[str, Value] = {
                "bytes_recv": int(columns[0]),
                "packets_recv": int(columns[1]),
                "err_in": int(columns[2]),
                "drop_in": int(columns[3]),
                "bytes_sent": int(columns[8]),
                "packets_sent": int(columns[9]),
                "err_out": int(columns[10]),
                "drop_out": int(columns[11]),
            }
        except (ValueError, IndexError):
            reading.skip(MALFORMED)
            return
        speed = self._speeds.get(name, reading)
        if speed is not None:
            fields["speed"] = speed
        if tags and name != _ALL:
            reading.add("net", tags, fields)


def protocol_counters(snmp: bytes, reading: Reading) -> dict[str, Value]:
    """The counters of ``/proc/net/snmp`` that tell of trouble: each protocol has a line of names and one of numbers."""
    found: dict[str, Value] = {}
    headings: dict[bytes, list[bytes]] = {}
    for line in snmp.split(b"\n"):
        protocol, _, rest = line.partition(b" ")
        wanted = _TROUBLES.get(protocol)
        if wanted is None:
            continue
        if protocol not in headings:
            headings[protocol] = rest.split()
            continue
        for heading, number in zip(headings[protocol], rest.split(), strict=False):
            name = wanted.get(heading)
            if name is not None:
                try:
                    found[name] = int(number)
                except ValueError:
                    reading.skip(MALFORMED)
    return found
