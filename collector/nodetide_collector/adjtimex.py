"""The system call adjtimex(2), only to ask: Python has none, and asking needs no right."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

__all__ = ["Timex", "adjtimex"]


class Timex(NamedTuple):
    """What the kernel answers, in its own units.

    Attributes:
        state: what the call returned; see adjtimex(2).
        status: bits ``STA_*``.
        offset: nanoseconds where the bit STA_NANO is set, else microseconds.
        maxerror, esterror: microseconds.
    """

    state: int
    status: int
    offset: int
    maxerror: int
    esterror: int


def adjtimex() -> Timex:
    """
    Raises:
        OSError: the kernel, or what filters its calls, refuses.
    """
    answer, state, number = _call()()
    if state < 0:
        raise OSError(number, os.strerror(number))
    return Timex(state, answer.status, answer.offset, answer.maxerror, answer.esterror)


@cache
def _call() -> Callable[[], tuple[Any, int, int]]:
    """Makes the call, and gives what it wrote, what it returned and the error's number."""
    import ctypes  # costs memory, which who switches the group off does not pay

    long = ctypes.c_long

    class Struct(ctypes.Structure):
        _fields_ = (
            ("modes", ctypes.c_uint),
            *((name, long) for name in ("offset", "freq", "maxerror", "esterror")),
            ("status", ctypes.c_int),
            # What follows is not asked for. The kernel writes it all the same, and less than this.
            ("rest", long * 64),
        )

    try:
        function = ctypes.CDLL(None, use_errno=True).adjtimex
    except AttributeError as error:
        raise OSError(errno.ENOSYS, "the C library has no adjtimex") from error

    def call() -> tuple[Any, int, int]:
        answer = Struct()  # no mode is set, so that nothing is changed
        state: int = function(ctypes.byref(answer))
        return answer, state, ctypes.get_errno()

    return call
