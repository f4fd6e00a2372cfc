"""Speed of network links, from ``/sys/class/net``, asked for seldom."""

from __future__ import annotations

import time
from collections.abc import Callable

from nodetide_collector.host import Host, reason
from nodetide_collector.probe import Reading

__all__ = ["LinkSpeeds"]

_KEEP_SECONDS = 30.0
_REFRESH_PER_PASS = 16
_MOST = 10_000
_UNKNOWN = -1


class LinkSpeeds:
    """Megabits per second by interface; -1 where the driver does not know or the link is down.

    Asking takes the kernel's network configuration lock and changes next to never, so an answer is
    kept for half a minute, and only a few are renewed in one pass.
    """

    def __init__(self, host: Host, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._clock = clock
        self._known: dict[str, tuple[float, int | None]] = {}
        self._now = 0.0
        self._left = 0

    def begin_pass(self) -> None:
        self._now = self._clock()
        self._left = _REFRESH_PER_PASS
        if len(self._known) > _MOST:
            self._known.clear()

    def get(self, interface: str, reading: Reading) -> int | None:
        """None, and a count, where ``/sys`` does not have the interface: it may be another namespace's."""
        known = self._known.get(interface)
        if known is not None and (self._now < known[0] or self._left <= 0):
            speed = known[1]
        else:
            self._left -= known is not None
            speed = self._ask(interface, reading)
            self._known[interface] = (self._now + _KEEP_SECONDS, speed)
        if speed is None:
            reading.skip("interface not in /sys/class/net")
        return speed

    def _ask(self, interface: str, reading: Reading) -> int | None:
        try:
            return int(self._host.read(self._host.sys_file(f"class/net/{interface}/speed")))
        except FileNotFoundError:
            return None
        except PermissionError as error:
            reading.skip(f"speed: {reason(error)}")
            return _UNKNOWN
        except (OSError, ValueError):
            return _UNKNOWN
