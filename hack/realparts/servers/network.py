"""The network between this machine and one within it: a cable, a network for pods behind it, no way out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TextIO

from parts import cache

from .services import SERVICES

_MOST = 32
#: The locks of those that this process has chosen, by number.
_reserved: dict[int, TextIO] = {}
# The file that an option of the kernel's network is in is that of the network one is in.
_BEHIND = """\
set -e
ip link set lo up
ip addr add "$1" dev eth0
ip link set eth0 up
ip link add cni0 type bridge
ip addr add "$2" dev cni0
ip link set cni0 up
ip route add "$3" via "$4"  # for what has no pod's network: services are elsewhere, once they are looked up
echo 1 >/proc/sys/net/ipv4/ip_forward
calls=/proc/sys/net/bridge/bridge-nf-call-iptables
if [ -e "$calls" ]; then echo 1 >"$calls"; fi
"""


class NetworkFailed(OSError):
    """The network could not be made; the message has what `ip` said."""


@dataclass(frozen=True)
class Network:
    """Addresses of both ends and of the pods; several machines have different ones."""

    number: int

    @classmethod
    def choose(cls) -> Network:
        """One that nothing on this machine is connected to; nobody else gets it before `release`, connected or not.

        Raises:
            NetworkFailed
        """
        taken = list(_routes())
        for number in range(_MOST):
            chosen = cls(number)
            if not any(route.overlaps(own) for route in taken for own in (chosen.cable, chosen.pods)):
                lock = cache.taken(f"network-{number}")
                if lock is not None:
                    _reserved[number] = lock
                    return chosen
        raise NetworkFailed(f"no free network, from {cls(0).pods} to {cls(_MOST - 1).pods}")

    @property
    def interface(self) -> str:
        """Its end here; as Kubernetes' own, it is none that collectors look at."""
        return f"vethndt{self.number}"

    @property
    def cable(self) -> IPv4Network:
        return IPv4Network(f"10.245.{self.number}.0/30")

    @property
    def here(self) -> str:
        """The address of this machine on the cable."""
        return str(self.cable[1])

    @property
    def there(self) -> str:
        """The other machine's."""
        return str(self.cable[2])

    @property
    def pods(self) -> IPv4Network:
        return IPv4Network(f"10.244.{self.number}.0/24")

    @property
    def bridge(self) -> str:
        """The other machine's address among its pods."""
        return str(self.pods[1])

    def connect(self, pid: int) -> None:
        """Put the far end into the network that the process `pid` is in. Raises NetworkFailed."""
        _run("ip", "link", "add", self.interface, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        _run("ip", "addr", "add", f"{self.here}/30", "dev", self.interface)
        _run("ip", "link", "set", self.interface, "up")
        ends = (f"{self.there}/30", f"{self.bridge}/24", SERVICES, self.here)
        _run("nsenter", f"--target={pid}", "--net", "sh", "-c", _BEHIND, "sh", *ends)
        _run("ip", "route", "add", str(self.pods), "via", self.there)

    def disconnect(self) -> None:
        """Take the cable away, with all that hangs on it; it may be gone already."""
        subprocess.run(["ip", "link", "del", self.interface], check=False, capture_output=True)

    def release(self) -> None:
        """It may be another machine's."""
        lock = _reserved.pop(self.number, None)
        if lock is not None:
            lock.close()


def _routes() -> Iterable[IPv4Network]:
    for route in json.loads(_run("ip", "-json", "-4", "route", "show", "table", "all")):
        if route["dst"] != "default":
            yield IPv4Network(route["dst"], strict=False)


def _run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise NetworkFailed(f"{' '.join(argv[:6])}: {done.stderr.strip()}")
    return done.stdout
