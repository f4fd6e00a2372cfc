"""The real Alertmanager killed (-9) in the middle of a timeline, and started again: who is notified of what.

Alertmanager keeps alerts in memory, and of whom it notified of what a log, saved each quarter of an hour and as it is
stopped.  What it forgot itself it tells again, and it tells no end of what it does not know to have begun: Prometheus
could not help that either.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.fakes.receiving import PATIENCE
from tests.integration.notify.staging import Stage, config

from nodetide_core.alerts.notify.model import ActiveAlert

pytestmark = pytest.mark.peer

MakeAlert = Callable[..., ActiveAlert]
Notified = tuple[str, str, str]
#: Fire before the kill and were told of then.
TOLD = ("ends", "holds", "returns")


def firing(*hosts: str) -> list[Notified]:
    return [("firing", host, "critical") for host in hosts]


def resolved(*hosts: str) -> list[Notified]:
    return [("resolved", host, "critical") for host in hosts]


#: Told after the restart, by what Alertmanager still knows then: before what holds to the end has ended, and after.
AFTERWARDS: dict[str, tuple[list[Notified], list[Notified]]] = {
    "saved": ([*firing("begins", "taken"), *resolved("ends")], resolved("holds", "returns", "begins", "taken")),
    **dict.fromkeys(
        ["unsaved", "wiped"],
        (firing("begins", "taken", "holds", "returns"), resolved("holds", "returns", "begins", "taken")),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("left", AFTERWARDS)
def test_alertmanager_is_killed_in_the_middle(
    stage: Callable[..., Stage], alert: MakeAlert, tmp_path: Path, left: str
) -> None:
    """
    Args:
        left: of its log: all, since it was ``saved``; nothing, for it was ``unsaved`` or its data were ``wiped``.
    """
    options = ["--data.maintenance-interval=200ms"] if left == "saved" else []
    on = stage(options=options, late="taken", group_wait="10h")
    now = int(time.time())

    # One has ended before, three fire, and one is known to Alertmanager, which has not told of it yet.
    before = alert("before", start=now - 50)
    on.tell(before)
    on.wait_for(*firing("before"))
    before = alert("before", start=now - 50, end=now)
    on.tell(before)
    expected = [*firing("before"), *resolved("before")]
    on.wait_for(*expected)
    fires = {host: alert(host, start=now - 40) for host in (*TOLD, "taken")}
    on.tell(before, *fires.values())
    expected += firing(*TOLD)
    on.wait_for(*expected)
    on.settled()
    assert {item["labels"]["host"] for item in on.believed()} == set(fires)
    data = tmp_path / "alertmanager"
    if left == "saved":
        wait_until_saved(data / "nflog")

    on.server.kill()
    while_down = [
        before,
        fires["holds"],
        fires["taken"],
        alert("ends", start=now - 40, end=int(time.time())),
        alert("begins", start=int(time.time()) - 5),
        alert("never", start=int(time.time()) - 5),
    ]
    ended = alert("returns", start=now - 40, end=now - 20)
    on.tell(*while_down, ended)
    until_failing(on)
    while_down[-1] = alert("never", start=while_down[-1].starts_at, end=int(time.time()))
    while_down.append(alert("returns", start=now - 10))
    on.tell(*while_down)
    if left == "wiped":
        shutil.rmtree(data)
        data.mkdir()
    assert (data / "nflog").exists() == (left == "saved")
    # What it was slow to tell of it tells of at once now.
    on.configure(config(on.webhook))
    on.server.start()
    on.pass_time(60, *while_down)
    afterwards, at_last = AFTERWARDS[left]
    expected += afterwards
    on.wait_for(*expected)
    assert on.dispatcher.health()["p", "am"].missed == 1, "of what began and ended meanwhile nobody heard"

    # On as if nothing had been.
    after = alert("after", start=int(time.time()) - 5)
    on.tell(*while_down, after)
    expected += firing("after")
    on.wait_for(*expected)
    end = int(time.time())
    over = [
        alert(one.id, start=one.starts_at, end=end if one.ends_at is None else one.ends_at)
        for one in (*while_down, after)
    ]
    on.tell(*over)
    expected += [*at_last, *resolved("after")]
    on.wait_for(*expected)
    on.pass_time(1200, *over)
    on.wait_for(*expected)


def until_failing(on: Stage) -> None:
    """Wait until it was tried to tell Alertmanager, in vain."""
    end = time.monotonic() + PATIENCE
    while on.dispatcher.health()["p", "am"].ok:
        assert time.monotonic() < end
        time.sleep(0.01)


def wait_until_saved(log: Path) -> None:
    """Wait until the log on disk has an entry for each alert that was told of."""
    end = time.monotonic() + PATIENCE
    while not (log.exists() and all(f'host="{host}"'.encode() in log.read_bytes() for host in TOLD)):
        assert time.monotonic() < end, "it does not save its log"
        time.sleep(0.05)
