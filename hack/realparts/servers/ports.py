"""Ports that nothing listens on."""

from __future__ import annotations

import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
_LOWEST = 10240
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free(count: int) -> list[int]:
    """Pick `count` ports that are free on loopback.

    They lie below those that the kernel lends to outgoing connections: a server that is down
    for a while finds its port free when it comes back.
    """
    lent = int(_EPHEMERAL.read_text().split()[0])
    below = range(_LOWEST, lent if lent > _LOWEST + 1000 else 65536)
    found: list[int] = []
    for port in random.SystemRandom().sample(below, len(below)):
        if _is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"{count} free ports wanted, {len(found)} found from {below.start} to {below.stop - 1}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
