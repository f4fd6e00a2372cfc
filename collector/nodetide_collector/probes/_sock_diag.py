"""States of the TCP sockets of our own network namespace, by netlink (sock_diag(7))."""

from __future__ import annotations

import os
import socket
import struct
from collections import Counter

from nodetide_collector.host import Host

__all__ = ["count_messages", "sees_host", "tcp_states"]

_NETLINK_SOCK_DIAG = 4
#: The older of two requests: unlike the newer it may ask for all families at once, in one walk of the table.
_TCPDIAG_GETSOCK = 18
_NLM_F_REQUEST_DUMP = 0x1 | 0x300
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
#: Established (1) to closing (11), as the files in ``/proc/net`` show them.
_STATES = 0xFFE

_HEADER = struct.Struct("=IHHII")
#: Any family, any address; then the states, and no database.
_REQUEST = struct.pack("=BBBB48xII", socket.AF_UNSPEC, 0, 0, 0, _STATES, 0)
_LENGTH_AND_KIND = 6
_ERRNO = struct.Struct("=i")
_STATE_AT = _HEADER.size + 1
_BUFFER = 1 << 17
_TIMEOUT = 1.0


def sees_host(host: Host) -> bool:
    """Whether our network namespace is that of the host's first process.

    Each namespace has files of its own under ``/proc/<pid>/net``: it is the same one when the files
    are.  Unlike reading the links in ``/proc/1/ns``, this takes no privilege.
    """
    if host.proc != host.own_proc:
        return False
    try:
        return os.path.samestat(*(os.stat(path) for path in host.init_files("net/tcp")))  # noqa: PTH116
    except OSError:
        return False


def tcp_states() -> Counter[int]:
    """How many sockets are in each state, of IPv4 and IPv6 together.

    Raises:
        OSError: the kernel does not answer such questions, or not to us.
    """
    found: Counter[int] = Counter()
    netlink = getattr(socket, "AF_NETLINK", None)
    if netlink is None:
        raise OSError("no netlink on this system")
    with socket.socket(netlink, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as diag:
        diag.settimeout(_TIMEOUT)
        size = _HEADER.size + len(_REQUEST)
        diag.send(_HEADER.pack(size, _TCPDIAG_GETSOCK, _NLM_F_REQUEST_DUMP, 1, 0) + _REQUEST)
        while not count_messages(diag.recv(_BUFFER), found):
            pass
    return found


def count_messages(data: bytes, into: Counter[int]) -> bool:
    """Adds the states of the sockets in one answer; True when it says that it was the last.

    Raises:
        OSError: it holds an error, or is not what was asked for.
    """
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if kind == _NLMSG_DONE:
            return True
        if kind != _TCPDIAG_GETSOCK or length <= _STATE_AT or at + length > len(data):
            is_error = kind == _NLMSG_ERROR and at + _HEADER.size + _ERRNO.size <= len(data)
            number = -_ERRNO.unpack_from(data, at + _HEADER.size)[0] if is_error else 0
            raise OSError(number, "unexpected answer of sock_diag")
        step = (length + 3) & ~3
        end = at + _alike(data, at, step) * step
        into.update(data[at + _STATE_AT : end : step])
        at = end
    if at == 0:
        raise OSError("empty answer of sock_diag")
    return False


def _alike(data: bytes, at: int, step: int) -> int:
    """How many messages in a row begin with the same length and kind as the one here.

    Where each is as long as the one before, each does begin one step on; so they can be counted
    together, and of ten thousand sockets most come in such rows.
    """
    count = max((len(data) - at) // step, 1)
    for offset in range(_LENGTH_AND_KIND):
        column = data[at + offset : at + count * step : step]
        count = len(column) - len(column.lstrip(column[:1]))
    return count
