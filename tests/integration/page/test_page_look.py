"""Light and dark, narrow, with the keyboard, for screen readers, and safe."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.keys import Keys
from tests.integration.page.conftest import Page

from nodetide_api.config import ApiConfig

pytestmark = pytest.mark.browser

WILD = '<img src=x onerror="window.pwned=1">\'&quot;'
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def luminance(colour: str) -> float:
    red, green, blue = (int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")[:3])
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_system_decides_until_the_button_does(visit: Callable[..., Page], scheme: str) -> None:
    page = visit()
    page.media(prefers_color_scheme=scheme)
    page.open()
    page.wait_drawn()
    assert (luminance(page.run(f"return {BACKGROUND}")) < 0.1) == (scheme == "dark")
    other = "light" if scheme == "dark" else "dark"
    page.media(prefers_color_scheme=other)
    page.wait("document.documentElement.dataset.theme === arguments[0]", other)
    page.click("#theme")
    page.wait("document.documentElement.dataset.theme === arguments[0]", scheme)
    assert (
        page.run("return document.getElementById('theme').getAttribute('aria-pressed')")
        == str(scheme == "dark").lower()
    )
    page.driver.refresh()
    page.wait_drawn()
    assert page.run("return document.documentElement.dataset.theme") == scheme, "remembered"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_contrasts_enough(visit: Callable[..., Page], scheme: str) -> None:
    page = visit()
    page.media(prefers_color_scheme=scheme)
    page.open()
    page.wait_drawn()
    pairs = page.run(
        """const rgb = (name) => {
            const probe = document.body.appendChild(document.createElement('i'));
            probe.style.color = `var(--${name})`;
            const colour = getComputedStyle(probe).color;
            probe.remove();
            return colour;
        };
        return [['text', 'card'], ['muted', 'card'], ['muted', 'page'], ['good', 'card'], ['warn', 'card'],
                ['bad', 'card'], ['warn', 'warn-soft'], ['bad', 'bad-soft'], ['accent', 'card'], ['text', 'fill'],
                ['text', 'fill-warm'], ['text', 'fill-hot']].map((pair) => [...pair, ...pair.map(rgb)]);"""
    )
    for front, back, *colours in pairs:
        light, dark = sorted(map(luminance, colours), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (front, back)


@pytest.mark.parametrize("state", ["live", "disconnected"])
def test_a_phone_never_scrolls_sideways(visit: Callable[..., Page], state: str) -> None:
    page = visit(
        nodes={"node-1": 128, "a-second-node-with-a-rather-long-name.example.internal": 2}, wild="/" + "long" * 40
    )
    page.expect_errors("ERR_")
    page.size(360, 740)
    page.open()
    page.wait_drawn("disk")
    page.wait_state("live")
    if state == "disconnected":
        page.site.stop()
        page.wait_state("disconnected")
    assert page.run("return [document.documentElement.scrollWidth, document.body.scrollWidth]") == [360, 360]
    spilled = page.run(
        """return [...document.querySelectorAll('header *, .tile, .tile *, .card, .notice *')].filter((item) => {
            const box = item.getBoundingClientRect();
            return box.width > 1 && (box.right > 360.5 || box.left < -0.5) && !item.closest('.scroll, .sr, .surface');
        }).map((item) => item.outerHTML.slice(0, 120))"""
    )
    assert spilled == []
    lefts = page.run("return [...document.querySelectorAll('.card')].map((card) => card.getBoundingClientRect().left)")
    assert len(set(lefts)) == 1, "one column"
    small = page.run(
        """return [...document.querySelectorAll('button, select')].filter((item) => item.offsetParent).map((item) =>
            [item.id || item.textContent, item.offsetWidth, item.offsetHeight])
            .filter(([, width, height]) => width < 24 || height < 24)"""
    )
    assert small == []


def test_everything_works_from_the_keyboard(visit: Callable[..., Page]) -> None:
    page = visit(nodes={"node-1": 2, "node-2": 3})
    page.open()
    page.wait_drawn("load")
    page.press(Keys.TAB)
    assert page.run("return document.activeElement.id") == "skip"
    page.press(Keys.ENTER)
    assert page.run("return document.activeElement.id") == "main"
    assert page.run("return location.hash") == ""
    page.run("document.activeElement.blur(); document.getElementById('skip').focus()")
    page.tab_to("it.id === 'host'")
    page.press(Keys.ARROW_DOWN)
    page.wait("location.hash === '#host=node-2'")
    page.tab_to("it.dataset.range === '1h'")
    outline = page.run("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "the focus is visible"
    page.press(Keys.SPACE)
    page.wait("document.querySelector('[data-range=\"1h\"]').getAttribute('aria-pressed') === 'true'")
    page.tab_to("it.id === 'theme'")
    page.press(Keys.ENTER)
    page.wait("document.documentElement.dataset.theme === 'dark'")
    page.tab_to("it.closest('#chart-load') && it.getAttribute('role') === 'slider'")
    page.wait("document.querySelectorAll('#chart-memory tbody tr').length === 2")
    page.press(Keys.ARROW_LEFT)
    page.wait("[...document.querySelectorAll('.cursor')].filter((cursor) => !cursor.hidden).length === 7")
    first = float(page.run("return document.activeElement.getAttribute('aria-valuenow')"))
    page.press(Keys.PAGE_DOWN)
    page.wait("document.activeElement.getAttribute('aria-valuenow') < arguments[0]", first)
    heads = page.run(
        "return [...document.querySelectorAll('.legend thead th:nth-child(2)')].map((th) => th.textContent)"
    )
    assert len(set(heads)) == 1 and heads[0].count(":") == 2, "one moment in all charts"
    page.press(Keys.ESCAPE)
    page.wait("[...document.querySelectorAll('.cursor')].every((cursor) => cursor.hidden)")


def test_the_crosshair_follows_the_pointer_in_every_chart(visit: Callable[..., Page]) -> None:
    page = visit(stopped=int(time.time()) - 5, config=ApiConfig(stale_after=3600))
    page.open()
    for chart in ("cpu", "memory", "disk"):
        page.wait_drawn(chart)
    page.run(
        """const area = document.querySelector('#chart-cpu .plot');
        const box = area.getBoundingClientRect();
        const clientX = box.left + box.width * 0.6;
        area.dispatchEvent(new PointerEvent('pointermove', {clientX, clientY: box.top + 50}));"""
    )
    page.wait("[...document.querySelectorAll('.cursor')].filter((cursor) => !cursor.hidden).length === 7")
    moment = float(page.run("return document.querySelector('#chart-cpu .plot').getAttribute('aria-valuenow')"))
    store = page.site.store
    wanted = store._fields("node-1", "mem", {}, round(moment))["used_percent"]
    shown = page.text("#chart-memory tbody td").removesuffix("\u00a0%")
    assert float(shown) == pytest.approx(wanted, abs=0.25)


def test_roles_and_names_for_screen_readers(visit: Callable[..., Page]) -> None:
    page = visit()
    page.open()
    page.wait_drawn()
    assert page.run("return ['header', 'main', 'footer'].every((tag) => document.querySelectorAll(tag).length >= 1)")
    status = page.run("const it = document.getElementById('status-said'); return [it.role, it.ariaLive]")
    assert status == ["status", "polite"]
    unnamed = page.run(
        """return [...document.querySelectorAll('button, select, input, [role=slider], [role=meter], section, article')]
            .filter((item) => item.checkVisibility())
            .filter((item) => {
                const by = item.getAttribute('aria-labelledby');
                const name = item.getAttribute('aria-label') || (by && document.getElementById(by)?.textContent) ||
                    item.textContent.trim() || item.labels?.[0]?.textContent;
                return !name;
            }).map((item) => item.outerHTML.slice(0, 100))"""
    )
    assert unnamed == []
    doubled = page.run(
        "const ids = [...document.querySelectorAll('[id]')].map((it) => it.id); return ids.length - new Set(ids).size"
    )
    assert doubled == 0
    assert page.run("return document.documentElement.lang") == "en"
    page.wait("document.getElementById('zone').textContent.includes('UTC')")


def test_the_status_is_not_read_out_every_second(visit: Callable[..., Page]) -> None:
    page = visit(config=ApiConfig(stale_after=3600))
    page.open()
    page.wait_state("live")
    page.run(
        """window.changes = 0;
        new MutationObserver(() => { window.changes += 1; }).observe(document.getElementById('status-said'),
            {childList: true, characterData: true, subtree: true});
        window.ticks = 0;
        new MutationObserver(() => { window.ticks += 1; }).observe(document.getElementById('tile-load'),
            {childList: true, characterData: true, subtree: true});"""
    )
    page.wait("window.ticks >= 3")
    assert page.run("return window.changes") == 0


def test_names_are_text_and_never_html(visit: Callable[..., Page]) -> None:
    page = visit(nodes={WILD: 2}, wild=WILD)
    page.open()
    page.wait("document.querySelectorAll('#cores li').length === 2")
    for chart in ("network", "disk"):
        page.wait_drawn(chart)
    page.wait("document.getElementById('host-name').textContent === arguments[0]", WILD)
    for selector in ("#interfaces tbody", "#filesystems", "#chart-network tbody", "#chart-disk tbody"):
        page.wait("document.querySelector(arguments[0]).textContent.includes(arguments[1])", selector, WILD)
    assert page.run("return document.querySelectorAll('img').length") == 0
    assert page.run("return window.pwned ?? null") is None
    assert WILD in page.run("return document.title")


def test_a_wild_address_does_no_harm(visit: Callable[..., Page]) -> None:
    page = visit()
    page.open("#range=%3Cimg%20src=x%20onerror=%22pwned=1%22%3E&host=%22%3E%3Cscript%3Epwned=1%3C/script%3E")
    page.wait_state("stale")
    assert (
        page.run("return document.querySelectorAll('img').length + document.querySelectorAll('body script').length")
        == 0
    )
    assert page.run("return window.pwned ?? null") is None


def test_nothing_is_asked_of_another_origin(visit: Callable[..., Page]) -> None:
    page = visit()
    page.open("#range=1h")
    page.wait_drawn("disk")
    page.click("#theme")
    page.wait_state("live")
    urls = page.requests()
    assert len(urls) > 20
    foreign = [url for url in urls if urlsplit(url).netloc != f"127.0.0.1:{page.site.port}"]
    assert foreign == []


def test_reduced_motion_is_respected(visit: Callable[..., Page]) -> None:
    page = visit()
    page.media(prefers_reduced_motion="reduce")
    page.open()
    page.wait_state("live")
    assert page.run("return getComputedStyle(document.querySelector('.dot')).animationName") == "none"
    page.media(prefers_reduced_motion="no-preference")
    assert page.run("return getComputedStyle(document.querySelector('.dot')).animationName") == "breathe"
