"""Alerts on the page: the worst first, live, and whatever they are called, only as text."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.integration.page.conftest import Page

from nodetide_core.alerts.model import AlertKey, AlertState, Phase
from nodetide_core.alerts.ports import AlertRecord

pytestmark = pytest.mark.browser

WILD = '<img src=x onerror="window.pwned=1">\'&quot;'
HIDDEN = "document.getElementById('alerts').hidden"
ROWS = "[...document.querySelectorAll('#alerts-list li')]"


def alert(
    name: str = "HighCPU",
    severity: str = "warning",
    phase: Phase = Phase.FIRING,
    *,
    age: int = 60,
    silenced: bool = False,
    annotations: dict[str, str] | None = None,
    **tags: str,
) -> tuple[AlertKey, AlertRecord]:
    now = int(time.time())
    state = AlertState(phase, now - age, now - age if phase is Phase.FIRING else 0, 0, now, 97.5)
    key = AlertKey("system-metrics", name, severity, tuple(sorted(tags.items())))
    labels = {"alertname": name, "severity": severity, **tags}
    return key, AlertRecord(state, labels, annotations or {}, silenced)


def rows(page: Page) -> list[str]:
    return list(page.run(f"return {ROWS}.map((row) => row.innerText.replace(/\\s+/g, ' ').trim())"))


def test_the_worst_comes_first_with_all_that_a_person_needs(visit: Callable[..., Page]) -> None:
    page = visit(
        records=dict(
            [
                alert("Slow", "info", host="node-1"),
                alert("LowMemory", "critical", Phase.PENDING, host="node-2"),
                alert("DiskFillsUp", "warning", host="node-1", path="/data", silenced=True),
                alert("HighCPU", "critical", host="node-1", annotations={"summary": "CPU is busy"}, age=86_400 * 2),
                alert("Silent", "critical"),
            ]
        )
    )
    page.open()
    page.wait(f"{ROWS}.length === 5")
    found = rows(page)
    assert [row.split()[1] for row in found[:1]] == ["HighCPU"]
    assert found[0].startswith("critical HighCPU node-1 CPU is busy since ")
    assert "Silent" in found[1] and "node" not in found[1]
    assert found[2].startswith("warning, silenced DiskFillsUp node-1 path=/data since ")
    assert found[3].startswith("info Slow node-1")
    assert found[4].startswith("critical, pending LowMemory node-2")
    # Days ago is told with the day.
    assert len(found[0].split(" since ")[1].split()) == 3 and len(found[1].split(" since ")[1].split()) == 1
    assert page.text("#alerts-said") == "4 firing, 1 pending"
    assert page.run("return document.querySelectorAll('.runbook:not([hidden])').length") == 0


def test_it_is_there_only_while_there_is_something_to_say(visit: Callable[..., Page]) -> None:
    page = visit()
    page.open()
    page.wait_state("live")
    assert page.run(f"return {HIDDEN}")
    page.site.store.records.update([alert(phase=Phase.PENDING, host="node-1")])
    page.wait(f"!{HIDDEN} && {ROWS}[0].dataset.state === 'pending'")
    page.site.store.records.update([alert(host="node-1")])
    page.wait(f"{ROWS}[0].dataset.state === 'firing'")
    assert page.text("#alerts-said") == "1 firing"
    page.site.store.records.update([alert(phase=Phase.INACTIVE, host="node-1")])
    page.wait(HIDDEN)


def test_of_the_severities_of_one_series_the_worst_is_shown(visit: Callable[..., Page]) -> None:
    one, two = alert(severity="critical", host="node-1"), alert(severity="warning", host="node-1")
    page = visit(records=dict([one, two, alert(severity="warning", host="node-2")]))
    page.open()
    page.wait(f"{ROWS}.length === 2")
    assert [row.split(" since ")[0] for row in rows(page)] == ["critical HighCPU node-1", "warning HighCPU node-2"]
    del page.site.store.records[one[0]]
    page.wait(f"{ROWS}[0].dataset.severity === 'warning'")


def test_a_host_is_a_click_away(visit: Callable[..., Page]) -> None:
    page = visit(nodes={"node-1": 2, "node-2": 3}, records=dict([alert(host="node-2")]))
    page.open("#range=1h")
    page.wait(f"{ROWS}.length === 1")
    page.click("#alerts-list .at")
    page.wait("document.querySelectorAll('#cores li').length === 3")
    assert page.run("return location.hash") == "#range=1h&host=node-2&policy=system-metrics"
    page.wait(f"{ROWS}.length === 1")


def test_what_alerts_say_is_text_and_never_html(visit: Callable[..., Page]) -> None:
    texts = {"summary": WILD, "description": WILD, "runbook_url": f"javascript:{WILD}"}
    page = visit(records=dict([alert(WILD, WILD, annotations=texts, host=WILD, path=WILD)]))
    page.open()
    page.wait(f"{ROWS}.length === 1")
    shown = page.text("#alerts-list")
    assert shown.count(WILD) == 5, "severity, name, host, tag, summary"
    assert page.run("return document.querySelectorAll('img, #alerts-list script').length") == 0
    assert page.run("return window.pwned ?? null") is None
    assert page.run("return [...document.querySelectorAll('.runbook')].map((a) => [a.hidden, a.href])") == [[True, ""]]
    page.click("#alerts-list .at")
    page.wait("location.hash.includes('host=%3Cimg')")
    assert page.run("return window.pwned ?? null") is None


def test_a_runbook_opens_without_a_way_back(visit: Callable[..., Page]) -> None:
    page = visit(records=dict([alert(annotations={"runbook_url": "https://runbooks.example.com/cpu"}, host="a")]))
    page.open()
    page.wait("document.querySelector('.runbook:not([hidden])') !== null")
    link = page.run(
        """const it = document.querySelector('.runbook');
        return [it.href, it.rel, it.target, it.getAttribute('aria-label')];"""
    )
    assert link == ["https://runbooks.example.com/cpu", "noopener noreferrer", "_blank", "Runbook of HighCPU"]


def test_of_very_many_the_rest_is_counted(visit: Callable[..., Page]) -> None:
    page = visit(records=dict(alert(host=f"node-{number}") for number in range(250)))
    page.open()
    page.wait(f"{ROWS}.length === 100")
    assert (page.text("#alerts-said"), page.text("#alerts-more")) == ("250 firing", "and 150 more")
    assert page.run("return document.getElementById('alerts').offsetHeight") < 300


def test_alerts_stay_grey_while_the_server_is_gone_and_come_back_with_it(visit: Callable[..., Page]) -> None:
    page = visit(records=dict([alert(host="node-1")]))
    page.expect_errors("ERR_")
    page.open()
    page.wait(f"{ROWS}.length === 1")
    page.site.stop()
    page.wait_state("disconnected")
    assert page.run("return getComputedStyle(document.getElementById('alerts')).filter") == "grayscale(1)"
    assert page.run(f"return {ROWS}.length") == 1
    page.site.store.records.clear()
    page.site.start()
    page.wait_state("live")
    page.wait(HIDDEN)


def test_a_store_in_trouble_is_not_asked_for_alerts(visit: Callable[..., Page]) -> None:
    page = visit(records=dict([alert(host="node-1")]))
    page.expect_errors("503")
    page.open()
    page.wait(f"{ROWS}.length === 1")
    page.site.store.broken = "broken"
    page.wait_state("stale")
    assert page.run(f"return {ROWS}.length") == 1
    page.site.store.broken = None
    page.site.store.records.clear()
    page.wait(HIDDEN)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_severities_contrast_enough(visit: Callable[..., Page], scheme: str, severity: str) -> None:
    page = visit(records=dict([alert(severity=severity, host="node-1")]))
    page.media(prefers_color_scheme=scheme)
    page.open()
    page.wait(f"{ROWS}.length === 1")
    front, back = page.run(
        """const it = getComputedStyle(document.querySelector('.severity'));
        return [it.color, it.backgroundColor].map((colour) => colour.match(/[0-9]+/g).slice(0, 3).map(Number));"""
    )
    light, dark = sorted(map(luminance, (front, back)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def luminance(colour: list[int]) -> float:
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in (part / 255 for part in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_phone_never_scrolls_sideways_for_an_alert(visit: Callable[..., Page]) -> None:
    long = "long" * 60
    page = visit(records=dict([alert(long, "critical", annotations={"summary": long}, host=long, path=f"/{long}")]))
    page.size(360, 740)
    page.open()
    page.wait(f"{ROWS}.length === 1")
    assert page.run("return [document.documentElement.scrollWidth, document.body.scrollWidth]") == [360, 360]
    spilled = page.run(
        """return [...document.querySelectorAll('.alerts *')].filter((item) => {
            const box = item.getBoundingClientRect();
            return box.width > 1 && (box.right > 360.5 || box.left < -0.5);
        }).map((item) => item.outerHTML.slice(0, 80))"""
    )
    assert spilled == []


@pytest.fixture
def module(visit: Callable[..., Page]) -> Callable[..., Any]:
    """Runs a body with the page's module ``m``, in a document where the page itself does not run."""
    page = visit()
    page.expect_errors("favicon.ico")
    page.driver.get(page.site.url + "static/icon.svg")
    return lambda body, *arguments: page.module("alerts.js", body, *arguments)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://x.example/a?b#c", "https://x.example/a?b#c"),
        ("HTTP://x.example", "http://x.example/"),
        ("javascript:alert(1)", None),
        ("JaVaScRiPt:alert(1)//https://x", None),
        ("data:text/html,<script>1</script>", None),
        ("//evil.example/x", None),
        ("/relative", None),
        (" https://x.example", "https://x.example/"),
        ("java\tscript:alert(1)", None),
        ("file:///etc/passwd", None),
        ("https://", None),
        ("", None),
    ],
)
def test_only_web_addresses_are_runbooks(module: Callable[..., Any], text: str, address: str | None) -> None:
    assert module("return m.runbook({runbook_url: a[0]})", text) == address


def test_no_runbook_is_none(module: Callable[..., Any]) -> None:
    assert module("return m.runbook({})") is None


def test_counts_as_text(module: Callable[..., Any]) -> None:
    cases = [(0, 0), (1, 0), (0, 2), (3, 4)]
    said = [module("return m.counted({firing: a[0], pending: a[1]})", *case) for case in cases]
    assert said == ["", "1 firing", "2 pending", "3 firing, 4 pending"]
