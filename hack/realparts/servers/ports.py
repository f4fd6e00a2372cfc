"""Ports that nothing listens on."""

from __future__ import annotations

import atexit
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from parts import cache

LOOPBACK = "127.0.0.1"
_LOWEST = 10240
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_BLOCK = 100


class _Ports:
    """Blocks of ports that this process alone gives away, each port once; they are anybody's when it ends."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._left: Iterator[int] = iter(())

    def take(self) -> int:
        """Raises OSError where there is none."""
        with self._one_at_a_time:
            while True:
                for port in self._left:
                    if _is_free(port):
                        return port
                self._take_block()

    def _take_block(self) -> None:
        lent = int(_EPHEMERAL.read_text().split()[0])
        below = range(_LOWEST, lent if lent > _LOWEST + 1000 else 65536, _BLOCK)
        for first in random.SystemRandom().sample(below, len(below)):
            lock = cache.taken(f"ports-{first}")
            if lock is not None:
                atexit.register(lock.close)
                self._left = iter(range(first, min(first + _BLOCK, below.stop)))
                return
        raise OSError(f"no free port from {below.start} to {below.stop - 1}: other processes have taken all")


_ports = _Ports()


def free(count: int) -> list[int]:
    """Take `count` ports that are free on loopback; neither this process nor another that asks here gets them again.

    So nobody takes one between this and its server's start, or while its server is down. And they lie below those
    that the kernel lends to outgoing connections.
    """
    return [_ports.take() for _ in range(count)]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
