"""What the page says when something is wrong, and how it recovers."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.request import urlopen

import pytest
from tests.integration.page.conftest import Page

from nodetide_api.config import ApiConfig

pytestmark = pytest.mark.browser

NOTICE = "document.getElementById('notice').hidden ? '' : document.getElementById('notice-text').textContent"
GREY = "getComputedStyle(document.getElementById('tiles')).filter"


def test_a_lost_server_is_said_and_found_again(visit: Callable[..., Page]) -> None:
    page = visit()
    page.expect_errors("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET")
    page.open()
    page.wait_state("live")
    page.wait_drawn()
    page.site.stop()
    page.wait_state("disconnected")
    page.wait(f"({NOTICE}).startsWith('The server cannot be reached.')")
    assert "old." in page.text("#notice-text")
    assert page.run(f"return {GREY}") == "grayscale(1)"
    assert page.text("#status-said").startswith("Disconnected")
    assert page.run("return document.title").startswith("Disconnected")
    page.requests()
    page.site.start()
    page.wait_state("live")
    page.wait("document.getElementById('notice').hidden")
    assert page.run(f"return {GREY}") == "none"
    assert any("/history" in url for url in page.requests()), "what was missed is fetched"


def test_a_retry_can_be_hurried(visit: Callable[..., Page]) -> None:
    page = visit()
    page.expect_errors("ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET")
    page.open()
    page.wait_state("live")
    page.site.stop()
    # By the third attempt the pause is several seconds long.
    page.wait("/in [4-9] s/.test(document.getElementById('notice-text').textContent)")
    page.site.start()
    # By the browser's own time: how long it then takes to connect is the machine's matter.
    page.run(
        """const ask = window.fetch;
        window.asked = [];
        window.fetch = (...told) => { window.asked.push(performance.now()); return ask(...told); };
        const note = () => { window.clicked = performance.now(); };
        document.getElementById('retry').addEventListener('click', note, {capture: true});"""
    )
    page.click("#retry")
    page.wait_state("live")
    assert page.run("return window.asked.find((at) => at >= window.clicked) - window.clicked") < 3000


def test_a_stopped_collector_is_stale_though_the_server_answers(visit: Callable[..., Page]) -> None:
    page = visit()
    page.open()
    page.wait_state("live")
    page.site.store.stopped = int(time.time()) - 60
    page.wait_state("stale")
    page.wait(f"({NOTICE}).includes('no new sample has come for 1 min')")
    assert page.run("return document.getElementById('retry').hidden")
    page.site.store.stopped = None
    page.wait_state("live")


def test_staleness_needs_no_server_to_be_seen(visit: Callable[..., Page]) -> None:
    page = visit(config=ApiConfig(stale_after=6))
    page.open()
    page.wait_state("live")
    ages = page.run("return document.getElementById('status-age').textContent")
    assert ages.endswith("s ago")
    # The server goes on, and sends the same last sample again and again.
    page.site.store.stopped = int(time.time())
    page.wait_state("stale")


def test_a_store_that_fails_is_said(visit: Callable[..., Page]) -> None:
    page = visit()
    page.open()
    page.wait_state("live")
    page.site.store.broken = "the disk is gone"
    page.wait(f"({NOTICE}).startsWith('The server cannot read its store: the disk is gone')")
    page.site.store.broken = None
    page.wait_state("live")


def test_a_store_that_fails_from_the_start_is_said(visit: Callable[..., Page]) -> None:
    page = visit(broken="the disk is gone")
    page.expect_errors("503")
    page.open()
    page.wait("document.querySelector('#chart-cpu .message').textContent.includes('the disk is gone')")
    page.site.store.broken = None
    page.wait_state("live")
    page.wait_drawn()


def test_no_node_yet(visit: Callable[..., Page]) -> None:
    page = visit(nodes={})
    page.open()
    page.wait(f"({NOTICE}).startsWith('No node has reported yet.')")
    page.site.store.nodes["node-1"] = 2
    page.wait_state("live")


def test_a_token_is_asked_for_and_kept_for_the_session(visit: Callable[..., Page]) -> None:
    page = visit(config=ApiConfig(token="correct horse"))
    page.expect_errors("401")
    page.open()
    page.wait("document.getElementById('token-form').hidden === false")
    page.wait_state("locked")
    assert page.run("return document.activeElement.id") == "token"
    page.press("wrong", "\n")
    page.wait("document.getElementById('token-problem').textContent === 'This token was not accepted.'")
    page.press("correct horse", "\n")
    page.wait_state("live")
    page.wait_drawn()
    assert page.run("return document.getElementById('token-form').hidden")
    page.requests()
    page.driver.refresh()
    page.wait_state("live")
    assert page.run("return localStorage.length") == 0
    assert not [url for url in page.requests() if "correct" in url], "a token in an address ends up in logs"


def test_a_hidden_page_rests_and_catches_up(visit: Callable[..., Page]) -> None:
    page = visit()
    page.open()
    page.wait_state("live")
    page.wait_drawn()
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});" + (
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.run(hide % "true")
    page.wait_state("paused")
    deadline = time.monotonic() + 120
    while clients(page) > 0:
        assert time.monotonic() < deadline, "the stream goes on"
        time.sleep(0.05)
    page.requests()
    page.run(hide % "false")
    page.wait_state("live")
    assert any("/history" in url for url in page.requests())


def clients(page: Page) -> int:
    """Open streams, as the server counts them."""
    with urlopen(page.site.url + "metrics", timeout=60) as answer:
        text = answer.read().decode()
    return next(
        int(float(line.split()[-1])) for line in text.splitlines() if line.startswith("nodetide_api_stream_clients")
    )
