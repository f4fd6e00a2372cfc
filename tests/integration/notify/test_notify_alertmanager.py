"""Against the real Alertmanager, whose own webhook shows whom it would have told of what."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from tests.fakes.receiving import PATIENCE
from tests.integration.notify.staging import Stage

from nodetide_core.alerts.notify.model import ActiveAlert

pytestmark = pytest.mark.peer

MakeAlert = Callable[..., ActiveAlert]


def test_begin_repetition_and_end_of_each_severity(stage: Callable[..., Stage], alert: MakeAlert) -> None:
    on = stage()
    now = int(time.time())
    warning, critical = alert(severity="warning", start=now - 60), alert(start=now - 30)
    on.tell(warning)
    on.wait_for(("firing", "a", "warning"))
    first = on.believed()[0]["endsAt"]
    on.pass_time(150, warning)
    assert on.believed()[0]["endsAt"] > first, "it is told again, to end later"
    assert on.believed()[0]["startsAt"].startswith(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now - 60)))
    on.tell(warning, critical)
    on.wait_for(("firing", "a", "warning"), ("firing", "a", "critical"))
    ended = alert(start=now - 30, end=int(time.time()))
    on.tell(warning, ended)
    on.wait_for(("firing", "a", "warning"), ("firing", "a", "critical"), ("resolved", "a", "critical"))
    on.pass_time(1200, warning, ended)
    assert len(on.notified()) == 3, "told again and again, and notified once"


def test_labels_are_data_whatever_is_in_them(stage: Callable[..., Stage], alert: MakeAlert) -> None:
    on = stage()
    odd = {
        "path": "/mnt/a \"b\" \\ {{ .Labels }} ${x} 'c'",
        "note": "line\nfeed\ttab 한국어 🔥 \x01",
        "topology.kubernetes.io/zone": "eu-1",
        "empty": "",
        "9": "digit",
        "bad": "not \udcff unicode",
    }
    on.tell(alert("n/1", start=int(time.time()) - 5, **odd))
    on.wait_for(("firing", "n/1", "critical"))
    labels = on.webhook.taken[0]["alerts"][0]["labels"]
    assert labels == {
        "alertname": "HighCPU",
        "severity": "critical",
        "policy": "p",
        "namespace": "default",
        "host": "n/1",
        "path": odd["path"],
        "note": odd["note"],
        "topology_kubernetes_io_zone": "eu-1",
        "tag_9": "digit",
        "bad": "not \ufffd unicode",
    }


def test_it_is_down_when_an_alert_begins(stage: Callable[..., Stage], alert: MakeAlert) -> None:
    on = stage()
    on.server.stop()
    on.tell(alert("gone"), alert("stays", start=int(time.time()) - 5))
    end = time.monotonic() + PATIENCE
    while on.dispatcher.health()["p", "am"].ok:
        assert time.monotonic() < end
        time.sleep(0.01)
    on.tell(alert("gone", end=int(time.time())), alert("stays", start=int(time.time()) - 5))
    on.server.start()
    on.wait_for(("firing", "stays", "critical"))
    assert on.dispatcher.health()["p", "am"].missed == 1


def test_it_is_restarted_while_an_alert_fires_and_down_when_it_ends(
    stage: Callable[..., Stage], alert: MakeAlert
) -> None:
    on = stage()
    begun = alert(start=int(time.time()) - 5)
    on.tell(begun)
    on.wait_for(("firing", "a", "critical"))
    on.server.restart()
    on.pass_time(60, begun)
    on.wait_for(("firing", "a", "critical"))
    on.server.stop()
    ended = alert(start=begun.starts_at, end=int(time.time()))
    on.tell(ended)
    time.sleep(0.5)
    on.server.start()
    on.wait_for(("firing", "a", "critical"), ("resolved", "a", "critical"))


def test_it_is_restarted_between_taking_an_end_and_telling_it(stage: Callable[..., Stage], alert: MakeAlert) -> None:
    on = stage(interval="60s")
    begun = alert(start=int(time.time()) - 5)
    on.tell(begun)
    on.webhook.wait(lambda r: len(on.notified()) == 1)
    ended = alert(start=begun.starts_at, end=int(time.time()))
    on.tell(ended)
    on.settled()
    on.server.restart()
    assert on.notified() == [("firing", "a", "critical")]
    on.pass_time(60, ended)
    on.wait_for(("firing", "a", "critical"), ("resolved", "a", "critical"))


def test_we_are_restarted_at_any_time(stage: Callable[..., Stage], alert: MakeAlert) -> None:
    on = stage()
    begun = alert(start=int(time.time()) - 5)
    on.tell(begun)
    on.wait_for(("firing", "a", "critical"))
    on.dispatcher.close(10)
    on.restart()
    on.tell(begun)
    on.settled()
    ended = alert(start=begun.starts_at, end=int(time.time()))
    on.dispatcher.close(10)
    on.restart()
    on.tell(ended)
    on.wait_for(("firing", "a", "critical"), ("resolved", "a", "critical"))
    on.dispatcher.close(10)
    on.restart()
    on.tell(ended)
    on.settled()
    on.wait_for(("firing", "a", "critical"), ("resolved", "a", "critical"))


def test_an_alert_that_flaps_is_notified_each_time(stage: Callable[..., Stage], alert: MakeAlert) -> None:
    on = stage()
    expected = []
    handed: list[ActiveAlert] = []
    for _ in range(3):
        begun = alert(start=int(time.time()))
        on.tell(*handed, begun)
        expected.append(("firing", "a", "critical"))
        on.wait_for(*expected)
        handed.append(alert(start=begun.starts_at, end=int(time.time())))
        on.tell(*handed)
        expected.append(("resolved", "a", "critical"))
        on.wait_for(*expected)


def test_a_silence_of_ours_is_no_end_to_it(stage: Callable[..., Stage], alert: MakeAlert) -> None:
    on = stage()
    begun = alert(start=int(time.time()) - 5)
    on.tell(begun)
    on.wait_for(("firing", "a", "critical"))
    quiet = ActiveAlert("a", "critical", begun.labels, {}, begun.starts_at, None, 1.0, silenced=True)
    on.pass_time(600, quiet)
    on.wait_for(("firing", "a", "critical"))
    assert len(on.believed()) == 1
