"""Sockets in use and their memory, from ``/proc/1/net/sockstat`` and ``sockstat6``."""

from __future__ import annotations

from collections.abc import Mapping

from nodetide_collector.host import Host
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import MALFORMED, init_blocks, needs_linux, take_init
from nodetide_core.points import Value

__all__ = ["SockstatProbe"]

_NAMES: dict[bytes, dict[bytes, str]] = {
    b"sockets": {b"used": "sockets_used"},
    b"TCP": {
        b"inuse": "tcp_inuse",
        b"orphan": "tcp_orphan",
        b"tw": "tcp_tw",
        b"alloc": "tcp_alloc",
        b"mem": "tcp_mem",
    },
    b"UDP": {b"inuse": "udp_inuse", b"mem": "udp_mem"},
    b"RAW": {b"inuse": "raw_inuse"},
}
_NAMES_V6: dict[bytes, dict[bytes, str]] = {
    b"TCP6": {b"inuse": "tcp_inuse"},
    b"UDP6": {b"inuse": "udp_inuse"},
    b"RAW6": {b"inuse": "raw_inuse"},
}


@probe("sockstat")
class SockstatProbe:
    def __init__(self, host: Host) -> None:
        self._host = host

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            return needs_linux()
        reading = Reading()
        data = take_init(self._host, reading, "net/sockstat")
        if data is None:
            return reading
        found = _parse(data, _NAMES, reading)
        # What is in use is counted for each family; the rest for both together.
        blocks = init_blocks(self._host, reading, "net/sockstat6", absent="no IPv6")
        if blocks is not None:
            for name, number in _parse(b"".join(blocks), _NAMES_V6, reading).items():
                found[name] = found.get(name, 0) + number
        fields: dict[str, Value] = {**found}
        reading.add("sockstat", (), fields)
        return reading


def _parse(data: bytes, names: Mapping[bytes, Mapping[bytes, str]], reading: Reading) -> dict[str, int]:
    """Lines of ``TCP: inuse 5 orphan 0``."""
    found: dict[str, int] = {}
    for line in data.split(b"\n"):
        protocol, _, rest = line.partition(b":")
        wanted = names.get(protocol)
        if wanted is None:
            continue
        words = rest.split()
        for word, number in zip(words[::2], words[1::2], strict=False):
            name = wanted.get(word)
            if name is not None:
                try:
                    found[name] = int(number)
                except ValueError:
                    reading.skip(MALFORMED)
    return found
