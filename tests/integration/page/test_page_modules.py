"""The page's pure modules, run in the browser that runs them."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.integration.page.conftest import Page

pytestmark = pytest.mark.browser


@pytest.fixture
def page(visit: Callable[..., Page]) -> Page:
    page = visit()
    # A document of the same origin in which the page itself does not run.
    page.expect_errors("favicon.ico")
    page.driver.get(page.site.url + "static/icon.svg")
    return page


def events_of(text: str) -> tuple[list[dict[str, str]], int | None]:
    """What the standard says a whole stream means; an event that is not finished does not count."""
    found: list[dict[str, str]] = []
    data: list[str] = []
    kind = last_id = ""
    retry = None
    lines = re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff"))
    for line in lines[:-1]:
        if line == "":
            if data:
                found.append({"type": kind or "message", "data": "\n".join(data), "id": last_id})
            data, kind = [], ""
            continue
        name, colon, value = line.partition(":")
        if not name and colon:
            continue
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id = value
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            retry = int(value)
    return found, retry


def streams() -> list[tuple[str, list[str]]]:
    """Streams of all that can occur, each with one way to cut it into pieces."""
    chance = random.Random(20261123)
    words = ["data: a", "data:", "data", "data:  two  ", "event: sample", "event:status", "id: 7", "id", "id: a\0b"]
    words += ["retry: 250", "retry: x1", ": comment", ":", "unknown: x", 'data: {"a": 1}', "data: ü😀", "", "", ""]
    found = []
    for _ in range(400):
        text = "\ufeff" if chance.random() < 0.2 else ""
        for _ in range(chance.randrange(40)):
            text += chance.choice(words) + chance.choice(["\n", "\r", "\r\n"])
        if chance.random() < 0.3:
            text += "data: unfinished"
        cuts = sorted(chance.randrange(len(text) + 1) for _ in range(chance.randrange(8)))
        edges = [0, *cuts, len(text)]
        found.append((text, [text[start:stop] for start, stop in itertools.pairwise(edges)]))
        found.append((text, list(text)))
    return found


def test_event_streams_mean_what_the_standard_says_however_they_are_cut(page: Page) -> None:
    cases = streams()
    got = page.module(
        "sse.js",
        """return a[0].map((pieces) => {
            const parser = new m.SseParser();
            return {events: pieces.flatMap((piece) => parser.feed(piece)), retry: parser.retry};
        });""",
        [pieces for _, pieces in cases],
    )
    assert sum(len(events_of(text)[0]) for text, _ in cases) > 500
    for (text, pieces), result in zip(cases, got, strict=True):
        events, retry = events_of(text)
        assert result == {"events": events, "retry": retry}, (text, pieces)


def test_event_streams_survive_cuts_inside_a_character(page: Page) -> None:
    text = "data: ü😀\r\n\r\ndata: €\n\n"
    got = page.module(
        "sse.js",
        """const body = new ReadableStream({start(controller) {
            for (const byte of a[0]) controller.enqueue(new Uint8Array([byte]));
            controller.close();
        }});
        const found = [];
        let alive = 0;
        for await (const event of m.readEvents(body, new m.SseParser(), () => { alive += 1; })) found.push(event.data);
        return [found, alive];""",
        list(text.encode()),
    )
    assert got == [["ü😀", "€"], len(text.encode())]


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0, "percent", "0.0\u00a0%"),
        (-0.01, "percent", "0.0\u00a0%"),
        (12.34, "percent", "12.3\u00a0%"),
        (99.96, "percent", "100\u00a0%"),
        (0, "bytes", "0\u00a0B"),
        (999, "bytes", "999\u00a0B"),
        (1023, "bytes", "1.00\u00a0KiB"),
        (1024 * 1023.9, "bytes", "1.00\u00a0MiB"),
        (15.6 * 2**30, "bytes", "15.6\u00a0GiB"),
        (3 * 2**70, "bytes", "3072\u00a0EiB"),
        (2.5 * 2**20, "bytes_per_second", "2.50\u00a0MiB/s"),
        (0, "per_second", "0\u00a0/s"),
        (0.25, "per_second", "0.25\u00a0/s"),
        (12_345, "per_second", "12.3\u00a0k/s"),
        (0, "none", "0.00"),
        (9.996, "none", "10.0"),
        (None, "percent", "–"),
    ],
)
def test_values_as_text(page: Page, value: float | None, unit: str, shown: str) -> None:
    assert page.module("format.js", "return m.text(a[0], a[1])", value, unit) == shown


def test_bytes_as_text_are_right_to_three_digits_at_any_size(page: Page) -> None:
    chance = random.Random(7)
    values = [2 ** chance.uniform(0, 62) for _ in range(2000)]
    for value, shown in zip(
        values, page.module("format.js", "return a[0].map((v) => m.text(v, 'bytes'))", values), strict=True
    ):
        number, unit = shown.split("\u00a0")
        back = float(number) * 1024 ** ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].index(unit)
        assert abs(back - value) <= max(0.5, 0.005 * value), (value, shown)
        assert len(number.replace(".", "")) <= 3, shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
        (-3, "0 s"),
    ],
)
def test_durations_as_text(page: Page, seconds: float, shown: str) -> None:
    assert page.module("format.js", "return m.duration(a[0])", seconds) == shown


def test_value_axes_start_at_zero_and_hold_the_greatest_value(page: Page) -> None:
    chance = random.Random(11)
    units = ["percent", "bytes_per_second", "none"]
    cases = [(chance.choice(units), 10 ** chance.uniform(-3, 12)) for _ in range(1000)]
    body = "return a[0].map(([unit, most]) => m.scale(most, unit, {floor: 0.5}))"
    for (unit, most), made in zip(cases, page.module("ticks.js", body, cases), strict=True):
        ticks = made["ticks"]
        assert ticks[0] == 0 and ticks[-1] == made["top"] >= max(most, 0.5) * (1 - 1e-9), (unit, most, made)
        assert 2 <= len(ticks) <= 6, (unit, most, made)
        assert made["top"] <= 2.6 * max(most, 0.5), (unit, most, made)


def test_percent_axes_go_to_a_hundred_and_no_further(page: Page) -> None:
    limits = "{floor: 100, ceiling: 100}"
    assert page.module("ticks.js", f"return m.scale(140, 'percent', {limits})") == {
        "top": 100,
        "ticks": [0, 25, 50, 75, 100],
    }


def test_live_samples_become_the_means_of_their_steps(page: Page) -> None:
    chance = random.Random(3)
    samples = [(time, chance.uniform(0, 100)) for time in range(1_000_000, 1_000_600)]
    got = page.module(
        "series.js",
        """const series = new m.Series(30, 3600);
        for (const [time, value] of a[0]) series.push(time, value);
        return [series.t, series.v];""",
        samples,
    )
    steps: dict[int, list[float]] = {}
    for time, value in samples:
        steps.setdefault(time - time % 30, []).append(value)
    assert got[0] == sorted(steps)
    assert got[1] == pytest.approx([sum(values) / len(values) for _, values in sorted(steps.items())])


def test_live_samples_continue_a_history_without_counting_twice(page: Page) -> None:
    got = page.module(
        "series.js",
        """const series = new m.Series(1, 300);
        series.load([100, 101, 102], [1, 2, 3], 103);
        for (const time of [101, 102, 103, 103, 104]) series.push(time, time);
        return [series.t, series.v];""",
    )
    assert got == [[100, 101, 102, 103, 104], [1, 2, 3, 103, 104]]


@pytest.mark.parametrize(
    ("end", "mean"),
    [
        # The step is over: it takes nothing more.
        (120, 5.0),
        # Seven of its ten seconds are in the history; three more samples make it whole.
        (117, (7 * 5 + 3 * 25) / 10),
    ],
)
def test_live_samples_finish_the_step_that_a_history_began(page: Page, end: int, mean: float) -> None:
    got = page.module(
        "series.js",
        """const series = new m.Series(10, 300);
        series.load([100, 110], [5, 5], a[0]);
        for (let time = 108; time < 120; time += 1) series.push(time, 25);
        return [series.t, series.v];""",
        end,
    )
    assert got[0] == [100, 110]
    assert got[1] == pytest.approx([5, mean])


def test_a_day_of_samples_takes_no_more_room_than_its_range(page: Page) -> None:
    length = page.module(
        "series.js",
        """const series = new m.Series(1, 300);
        let longest = 0;
        for (let time = 0; time < 86400; time += 1) {
            series.push(time, 1);
            longest = Math.max(longest, series.t.length, series.v.length);
        }
        return longest;""",
    )
    assert 300 <= length <= 400


@pytest.mark.parametrize(
    ("times", "step", "broken_after"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 10, 11, 12], 1, [6]),
        # Every ten seconds, though a step is one: no gaps.
        ([0, 10, 20, 30, 40, 50, 60], 1, []),
        # Every twenty seconds in steps of fifteen: no gaps either.
        ([0, 15, 30, 60, 75, 90, 120, 135, 150], 15, []),
        ([0, 10, 20, 30, 40, 80, 90, 100, 110], 1, [40]),
        ([0, 300, 600, 1500, 1800, 2100, 2400, 2700], 300, [600]),
    ],
)
def test_gaps_are_told_from_sparse_samples(page: Page, times: list[int], step: int, broken_after: list[int]) -> None:
    got = page.module(
        "series.js",
        """const series = new m.Series(a[1], 86400);
        series.load(a[0], a[0].map(() => 1), a[0].at(-1));
        return m.rows([series], 0).map(([time, value]) => [time / 1000, Number.isNaN(value)]);""",
        times,
        step,
    )
    broken = [time - step for time, gap in got if gap]
    assert broken == broken_after
    assert [time for time, gap in got if not gap] == times


def test_lines_with_other_times_share_rows_and_keep_their_own_gaps(page: Page) -> None:
    got = page.module(
        "series.js",
        """const fast = new m.Series(1, 300), slow = new m.Series(1, 300);
        fast.load([0, 1, 2, 3, 4], [1, 1, 1, 1, 1], 5);
        slow.load([0, 2, 4], [2, 2, 2], 5);
        return m.rows([fast, slow], 0).map((row) => row.map((cell) => (Number.isNaN(cell) ? 'gap' : cell)));""",
    )
    assert got == [[0, 1, 2], [1000, 1, None], [2000, 1, 2], [3000, 1, None], [4000, 1, 2]]


@pytest.mark.parametrize(
    ("link", "sample", "state"),
    [
        ({"phase": "connecting"}, None, "connecting"),
        ({"phase": "open"}, None, "connecting"),
        ({"phase": "open"}, {"age": 1, "staleAfter": 10}, "live"),
        ({"phase": "open"}, {"age": 11, "staleAfter": 10}, "stale"),
        ({"phase": "open", "trouble": "broken"}, {"age": 1, "staleAfter": 10}, "stale"),
        ({"phase": "open", "trouble": "broken"}, None, "stale"),
        ({"phase": "waiting", "reason": "x", "retryAt": 0}, {"age": 1, "staleAfter": 10}, "disconnected"),
        ({"phase": "locked"}, None, "locked"),
        ({"phase": "paused"}, {"age": 99, "staleAfter": 10}, "paused"),
    ],
)
def test_what_the_status_says(page: Page, link: dict[str, Any], sample: dict[str, Any] | None, state: str) -> None:
    assert page.module("status.js", "return m.judge(a[0], a[1])", link, sample) == state
    explained = page.module("status.js", "return m.explain(a[0], a[1], a[2], 0)", state, link, sample)
    assert (explained is not None) == (state in ("stale", "disconnected"))


def test_pauses_grow_and_spread_and_end(page: Page) -> None:
    lows, highs = (
        page.module("reconnect.js", f"return Array.from({{length: 40}}, (_, i) => m.pause(i + 1, null, {chance}))")
        for chance in ("0", "0.999")
    )
    assert lows[:3] == [400, 800, 1600]
    assert lows == sorted(lows) and lows[-1] == 8000 and highs[-1] <= 12_000
    assert page.module("reconnect.js", "return m.pause(1, 2000, 0.5)") == 2000


@pytest.mark.parametrize(
    "hash", ["", "#", "#range=7d", "#range=1h&host=a%26b%20%23c&policy=%22%3E", "#host=%F0%9F%98%80"]
)
def test_addresses_are_read_back_as_written(page: Page, hash: str) -> None:
    body = "const view = m.parseHash(a[0]); return [view, m.parseHash(m.formatHash(view))]"
    first, second = page.module("state.js", body, hash)
    assert first == second


def test_a_foreign_range_is_the_default_one(page: Page) -> None:
    assert page.module("state.js", "return m.parseHash('#range=3w')") == {"range": "5m", "host": "", "policy": ""}


def test_partitions_are_left_out_where_their_disk_is_there(page: Page) -> None:
    names = ["sda", "sda1", "sda2", "nvme0n1", "nvme0n1p1", "mmcblk0", "mmcblk0p2", "sdb1", "dm-0", "md127", "loop3"]
    got = page.module("panels.js", "return m.withoutPartitions(a[0])", names)
    assert got == ["sda", "nvme0n1", "mmcblk0", "sdb1", "dm-0", "md127", "loop3"]


def test_of_many_devices_the_busiest_are_drawn(page: Page) -> None:
    body = """const {PANELS} = await import('/static/panels.js');
        const data = new m.PlotData(PANELS.find((panel) => panel.id === 'network'));
        const series = a[0].flatMap(([name, rate]) => ['bytes_recv', 'bytes_sent'].map((field) =>
            ({measurement: 'net', field, tags: {interface: name}, t: [0, 1], v: [rate, rate]})));
        data.load([{step_seconds: 1, tier: 'raw', end: '1970-01-01T00:00:02Z', series}], 300);
        return [data.groups, [...new Set(data.lines.map(({line}) => line.group))]];"""
    rates = [["eth0", 5], ["eth1", 50], ["eth2", 1], ["eth3", 500], ["eth4", 2]]
    assert page.module("plotdata.js", body, rates) == [5, ["eth3", "eth1", "eth0"]]
