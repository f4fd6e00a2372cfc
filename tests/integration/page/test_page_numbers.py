"""The page shows the API's numbers, live."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.integration.page.conftest import Page

from nodetide_api.config import ApiConfig

pytestmark = pytest.mark.browser

#: So that a store that stands still is not stale, and two readers of it see the same numbers.
PATIENT = ApiConfig(stale_after=3600)


def values(page: Page, measurement: str, **tags: str) -> dict[str, Any]:
    current = page.site.get("api/v1/metrics/current?host=node-1")
    return next(
        series
        for series in current["hosts"][0]["series"]
        if series["measurement"] == measurement and series["tags"].items() >= tags.items()
    )


def tile(page: Page, name: str) -> list[list[str]]:
    """Number and unit of each value of a tile."""
    script = """return [...document.querySelectorAll(arguments[0] + ' .value')]
        .map((value) => ['number', 'unit'].map((part) => value.querySelector('.' + part).textContent));"""
    found: list[list[str]] = page.run(script, f"#tile-{name}")
    return found


def test_tiles_show_what_the_api_says(visit: Callable[..., Page]) -> None:
    page = visit(stopped=int(time.time()) - 5, config=PATIENT)
    page.open()
    page.wait_state("live")
    cpu = values(page, "cpu", cpu="cpu-total")["values"]
    page.wait("document.querySelector('#tile-cpu .number').textContent !== '–'")
    assert tile(page, "cpu") == [[f"{cpu['usage_active']:.1f}", "%"]]
    assert f"user {cpu['usage_user']:.1f} · system {cpu['usage_system']:.1f}" in page.text("#tile-cpu .note")
    memory = values(page, "mem")["values"]
    assert tile(page, "memory") == [[f"{memory['used_percent']:.1f}", "%"]]
    assert f"{memory['available'] / 2**30:.2f}\u00a0GiB available" in page.text("#tile-memory .note")
    load = values(page, "system")["values"]
    assert tile(page, "load") == [[f"{load['load1']:.2f}", ""]]
    assert f"15 min {load['load15']:.2f}" in page.text("#tile-load .note")
    pressure = values(page, "pressure", resource="cpu", type="some")["values"]
    assert f"CPU {pressure['avg10']:.1f}" in page.text("#tile-pressure .note")
    page.wait_drawn("diskio")
    # Whole disks alone: their partitions would count twice.
    rates = [values(page, "diskio", name=name)["rates"] for name in ("nvme0n1", "nvme1n1")]
    read, written = (sum(rate[field] for rate in rates) for field in ("read_bytes", "write_bytes"))
    assert tile(page, "diskio") == [_binary(read), _binary(written)]
    # Neither the loopback interface, nor the protocol counters, are traffic of the node.
    rates = [values(page, "net", interface=name)["rates"] for name in ("eth0", "eth1")]
    received, sent = (sum(rate[field] for rate in rates) for field in ("bytes_recv", "bytes_sent"))
    assert tile(page, "network") == [_binary(received), _binary(sent)]


def _binary(value: float) -> list[str]:
    units = ["B/s", "KiB/s", "MiB/s", "GiB/s"]
    while value >= 999.5:
        value /= 1024
        units.pop(0)
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return [f"{value:.{digits}f}", units[0]]


def test_lists_show_what_the_api_says(visit: Callable[..., Page]) -> None:
    page = visit(stopped=int(time.time()) - 5, config=PATIENT)
    page.open()
    page.wait("document.querySelectorAll('#filesystems li').length === 3")
    disk = values(page, "disk", path="/var/lib/containers")["values"]
    row = page.wait(
        "[...document.querySelectorAll('#filesystems li')].map((li) => li.innerText)"
        ".find((text) => text.includes('containers'))"
    )
    assert f"{disk['used_percent']:.1f}\u00a0%" in row
    assert f"{disk['free'] / 2**30:.1f}\u00a0GiB free of 256\u00a0GiB" in row
    net = values(page, "net", interface="eth0")["rates"]
    row = page.run(
        "return [...document.querySelectorAll('#interfaces tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    assert [cells[0] for cells in row] == ["eth0", "eth1", "lo"]
    assert row[0][1:3] == ["\u00a0".join(_binary(net[field])) for field in ("bytes_recv", "bytes_sent")]
    assert row[1][3] == "0\u00a0/s"
    # Counters are whole numbers, so in a calm second of the synthetic node nothing may be dropped.
    level = "warm" if net["drop_in"] > 0 else "calm"
    assert page.run("return document.querySelector('#interfaces tbody tr').dataset.level") == level


@pytest.mark.parametrize("count", [1, 4, 128])
def test_every_core_has_a_cell_that_reads_without_colour(visit: Callable[..., Page], count: int) -> None:
    page = visit(nodes={"node-1": count}, stopped=int(time.time()) - 5, config=PATIENT)
    page.open()
    page.wait("document.querySelectorAll('#cores li').length === arguments[0]", count)
    cells = page.run(
        """return [...document.querySelectorAll('#cores li')].map((cell) => {
            const box = cell.getBoundingClientRect();
            const number = cell.querySelector('b').getBoundingClientRect();
            return {label: cell.getAttribute('aria-label'), text: cell.querySelector('b').textContent,
                    width: box.width, height: box.height, level: cell.dataset.level,
                    inside: number.left >= box.left && number.right <= box.right && number.bottom <= box.bottom};
        })"""
    )
    for index, cell in enumerate(cells):
        busy = values(page, "cpu", cpu=f"cpu{index}")["values"]["usage_active"] if index < 4 else None
        if busy is not None:
            assert cell["text"] == f"{busy:.0f}"
            assert cell["label"] == f"cpu{index}: {busy:.1f}\u00a0%"
        assert cell["inside"] and cell["width"] >= 28 and cell["height"] >= 24
    if count > 2:
        assert cells[2]["level"] == "hot"
        assert "busiest cpu2 at 96.4" in page.text("#cores .note")


def test_charts_draw_the_history(visit: Callable[..., Page]) -> None:
    page = visit()
    page.open()
    for chart in ("cpu", "memory", "load", "pressure", "diskio", "network", "disk"):
        page.wait_drawn(chart)
        assert page.painted(chart) > 2000, chart
    top = page.run(
        "return [...document.querySelectorAll('#chart-memory .dygraph-axis-label-y')].map((label) => label.textContent)"
    )
    assert top[0] == "0" and top[-1] == "100\u00a0%"
    # Two disks, though the API knows a partition as well.
    assert page.run("return document.querySelectorAll('#chart-diskio tbody tr').length") == 4


def test_legends_are_a_text_alternative(visit: Callable[..., Page]) -> None:
    page = visit(stopped=int(time.time()) - 5, config=PATIENT)
    page.open()
    page.wait_drawn("memory")
    asked = next(query for query in page.site.store.queries if query.measurement == "mem")
    span = f"start_time={asked.start}&end_time={asked.stop}"
    history = page.site.get(f"api/v1/metrics/history?metric=memory&host=node-1&{span}")["series"][0]["v"]
    cells = page.wait(
        "[...(document.querySelector('#chart-memory tbody tr')?.cells ?? [])].map((cell) => cell.textContent)"
    )
    shown = [float(cell.removesuffix("\u00a0%")) for cell in cells[1:]]
    wanted = [history[-1], min(history), sum(history) / len(history), max(history)]
    assert cells[0] == "Memory"
    assert shown == pytest.approx(wanted, abs=0.35)
    spoken = page.run("return document.querySelector('#chart-memory .plot').getAttribute('aria-valuetext')")
    assert f"Memory {cells[1]}" in spoken


def test_samples_arrive_by_themselves(visit: Callable[..., Page]) -> None:
    page = visit(config=PATIENT)
    page.open()
    page.wait_state("live")
    before = page.wait("document.querySelector('#tile-load .number').textContent")
    page.wait("document.querySelector('#tile-load .number').textContent !== arguments[0]", before)
    for chart in ("cpu", "memory", "load", "pressure", "diskio", "network", "disk"):
        page.wait_drawn(chart)
    page.requests()
    last = page.text("#chart-load tbody td")
    page.wait("document.querySelector('#chart-load tbody td').textContent !== arguments[0]", last)
    assert not [url for url in page.requests() if "history" in url], "the chart goes on without asking again"


def test_a_gap_stays_a_gap(visit: Callable[..., Page]) -> None:
    now = int(time.time())
    page = visit(gap=(now - 180, now - 100))
    page.open()
    page.wait_drawn("memory")
    columns = page.wait(
        """(() => {
            const canvas = [...document.querySelectorAll('#chart-memory .surface canvas')][0];
            const {data, width, height} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            const line = document.createElement('canvas').getContext('2d');
            line.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--line1');
            line.fillRect(0, 0, 1, 1);
            const [r, g, b] = line.getImageData(0, 0, 1, 1).data;
            const found = [];
            for (let x = 0; x < width; x += 1) {
                let hit = 0;
                for (let y = 0; y < height; y += 1) {
                    const at = 4 * (y * width + x);
                    const far = Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b);
                    hit ||= data[at + 3] > 200 && far < 60;
                }
                found.push(hit ? 1 : 0);
            }
            return found;
        })()"""
    )
    text = "".join(map(str, columns)).strip("0")
    longest = max(len(part) for part in text.split("1"))
    assert len(text) * 70 / 300 < longest < len(text) * 90 / 300, "80 of 300 seconds are missing"


def test_no_pressure_is_said_in_words(visit: Callable[..., Page]) -> None:
    page = visit(pressure=False)
    page.open()
    page.wait("document.querySelector('#chart-pressure .message').textContent.includes('not available on this kernel')")
    assert page.run("return document.querySelector('#chart-pressure .message').hidden") is False
    page.wait("document.querySelector('#tile-pressure .note').textContent === 'not available on this kernel'")
