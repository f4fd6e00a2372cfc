from __future__ import annotations

import signal
import threading
import time
from itertools import pairwise
from statistics import median

from nodetide_collector.clock import SystemClock


def test_both_clocks_are_read_together() -> None:
    clock = SystemClock()
    moments = [clock.now() for _ in range(100)]
    assert all(second.monotonic >= first.monotonic for first, second in pairwise(moments))
    assert abs(moments[-1].wall - time.time()) < 60
    # A reading may be torn, all attempts at it included, but not most of them.
    apart = [
        abs((second.wall - first.wall) - (second.monotonic - first.monotonic)) for first, second in pairwise(moments)
    ]
    assert median(apart) < 0.25


def test_a_wake_before_the_wait_ends_it_at_once_and_only_once() -> None:
    clock = SystemClock()
    clock.wake()
    clock.wake()
    clock.wait(3_600)
    began = time.monotonic()
    clock.wait(0.1)
    assert time.monotonic() - began >= 0.05, "the second wake is not kept for later"


def test_a_wake_from_another_thread_ends_a_wait() -> None:
    clock = SystemClock()
    timer = threading.Timer(0.01, clock.wake)
    timer.start()
    clock.wait(3_600)
    timer.join()


def test_a_wake_from_a_signal_handler_ends_a_wait() -> None:
    clock = SystemClock()
    before = signal.signal(signal.SIGALRM, lambda *_: clock.wake())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        clock.wait(3_600)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
