"""Ranges, hosts and policies: chosen by buttons, kept in the address."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.integration.page.conftest import Page

from nodetide_core.catalogue import CATALOGUE

pytestmark = pytest.mark.browser

RANGES = {
    "5m": 300,
    "15m": 900,
    "1h": 3600,
    "6h": 21_600,
    "24h": 86_400,
    "7d": 604_800,
    "30d": 2_592_000,
    "1y": 31_536_000,
}
PRESSED = "[...document.querySelectorAll('#ranges [aria-pressed=true]')].map((button) => button.dataset.range).join()"


def asked(page: Page) -> list[dict[str, str]]:
    """The parameters of the histories asked for since the last look."""
    found = [urlsplit(url) for url in page.requests()]
    return [
        {name: values[0] for name, values in parse_qs(url.query).items()}
        for url in found
        if url.path == "/api/v1/metrics/history"
    ]


def drawn_seconds(page: Page) -> int:
    """Length of the time axis as the crosshair's slider says it."""
    area = "document.querySelector('#chart-cpu .plot')"
    return int(page.run(f"return {area}.getAttribute('aria-valuemax') - {area}.getAttribute('aria-valuemin')"))


@pytest.mark.parametrize("name", RANGES)
def test_a_range_button_fetches_and_draws_its_range(visit: Callable[..., Page], name: str) -> None:
    page = visit()
    start = "1h" if name != "1h" else "5m"
    page.open(f"#range={start}")
    page.wait_drawn()
    asked(page)
    page.click(f"#ranges [data-range='{name}']")
    page.wait(f"{PRESSED} === arguments[0]", name)
    seconds = RANGES[name]
    area = "document.querySelector('#chart-cpu .plot')"
    page.wait(
        f"Math.abs({area}.getAttribute('aria-valuemax') - {area}.getAttribute('aria-valuemin') - arguments[0]) <= 1",
        seconds,
    )
    page.wait_drawn("disk")
    requests = asked(page)
    assert {request["start_time"] for request in requests} == {f"-{seconds}s"}
    assert {request["host"] for request in requests} == {"node-1"}
    metrics = {request["metric"] for request in requests}
    assert {"memory", "swap", "load", "pressure", "disk", "diskio", "network", "cpu.usage_active"} <= metrics
    assert page.painted("cpu") > 1000


def test_the_stream_asks_for_what_is_drawn_alone(visit: Callable[..., Page]) -> None:
    page = visit()
    page.open()
    page.wait_state("live")
    stream = next(url for url in page.requests() if "/stream" in url)
    metrics = parse_qs(urlsplit(stream).query)["metric"][0].split(",")
    assert "cpu.usage_active" in metrics
    assert "cpu.time_active" not in metrics and "cpu" not in metrics
    for metric in metrics:
        measurement, _, field = metric.partition(".")
        assert measurement in CATALOGUE.names or measurement in ("pressure", "diskio")
        assert not field or field in CATALOGUE[measurement].by_name


def test_back_and_forward_walk_through_the_views(visit: Callable[..., Page]) -> None:
    page = visit()
    page.open()
    page.wait_drawn()
    page.click("#ranges [data-range='6h']")
    page.click("#ranges [data-range='7d']")
    page.wait(f"{PRESSED} === '7d'")
    page.driver.back()
    page.wait(f"{PRESSED} === '6h' && location.hash === '#range=6h'")
    page.driver.back()
    page.wait(f"{PRESSED} === '5m'")
    page.driver.forward()
    page.wait(f"{PRESSED} === '6h'")
    page.wait(
        "Math.abs(document.querySelector('#chart-cpu .plot').getAttribute('aria-valuemax')"
        " - document.querySelector('#chart-cpu .plot').getAttribute('aria-valuemin') - 21600) <= 1"
    )


def test_a_shared_address_shows_the_same_view(visit: Callable[..., Page]) -> None:
    page = visit(nodes={"node-1": 2, "node-2": 3}, policies=("system-metrics", "fast"))
    page.open("#range=1h&host=node-2&policy=fast")
    page.wait("document.querySelectorAll('#cores li').length === 3")
    assert page.run("return document.getElementById('host').value") == "node-2"
    assert page.run("return document.getElementById('policy').value") == "fast"
    assert page.run(f"return {PRESSED}") == "1h"
    assert {(request["host"], request["policy"]) for request in asked(page)} == {("node-2", "fast")}
    assert {query.bucket for query in page.site.store.queries} == {"fast"}


def test_another_host_is_another_selection_away(visit: Callable[..., Page]) -> None:
    page = visit(nodes={"node-1": 2, "node-2": 3})
    page.open()
    page.wait("document.querySelectorAll('#cores li').length === 2")
    page.click("#host option[value='node-2']")
    page.wait("document.querySelectorAll('#cores li').length === 3 && location.hash === '#host=node-2'")
    page.wait("document.title.startsWith('node-2')")
    page.driver.back()
    page.wait("document.querySelectorAll('#cores li').length === 2")


def test_one_host_needs_no_selector(visit: Callable[..., Page]) -> None:
    page = visit()
    page.open()
    page.wait("document.getElementById('host-name').textContent === 'node-1'")
    assert page.run(
        "return document.getElementById('host-choice').hidden && document.getElementById('policy-choice').hidden"
    )


def test_an_unknown_host_is_said(visit: Callable[..., Page]) -> None:
    page = visit()
    page.open("#host=gone")
    page.wait("document.getElementById('notice-text').textContent.startsWith('No sample of this host')")
    page.wait_state("stale")
    page.wait("document.getElementById('host-choice').hidden === false")
    page.click("#host option[value='node-1']")
    page.wait_state("live")
