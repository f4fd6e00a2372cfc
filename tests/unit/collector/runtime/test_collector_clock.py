from __future__ import annotations

import signal
import threading
import time

from nodetide_collector.clock import SystemClock


def test_both_clocks_are_read_together() -> None:
    clock = SystemClock()
    first, second = clock.now(), clock.now()
    assert second.monotonic >= first.monotonic
    assert abs(first.wall - time.time()) < 60
    assert abs((second.wall - first.wall) - (second.monotonic - first.monotonic)) < 0.25


def test_a_wake_before_the_wait_ends_it_at_once_and_only_once() -> None:
    clock = SystemClock()
    clock.wake()
    clock.wake()
    clock.wait(3_600)
    began = time.monotonic()
    clock.wait(0.01)
    assert time.monotonic() - began >= 0.01


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
