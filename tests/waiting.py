"""Waiting for what other threads, processes and servers bring about. How soon says something of the machine alone, so
patience costs nothing but where a test fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

__all__ = ["eventually"]


def eventually(
    look: Callable[[], Any],
    complaint: Callable[[], object] = lambda: "not within time",
    *,
    patience: float = 180,
    not_yet: tuple[type[Exception], ...] = (),
    every: float = 0.05,
) -> Any:
    """What ``look`` gives, once it is something.

    Args:
        complaint: what is told where it never is, with what came last.
        patience: seconds.
        not_yet: errors of ``look`` that mean: not yet. Others are passed on.
        every: seconds between two looks.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            if seen := look():
                return seen
            last = f"it says {seen!r}"
        except not_yet as error:
            last = repr(error)
        assert time.monotonic() < deadline, f"{complaint()}: {last}"
        time.sleep(every)
