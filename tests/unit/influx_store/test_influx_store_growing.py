"""Samples by Flux: what is asked, how the answer is read, and that counters grow by it as by all of their samples."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.points import SeriesKey, Tags, make_tags
from nodetide_core.store import Aggregate, RangeQuery
from nodetide_core.stores.influx import steps
from nodetide_core.stores.influx.flux_samples import Samples, last_text, read_samples, samples_text
from nodetide_core.stores.influx.growing import growing_samples, is_short_and_wide
from nodetide_core.stores.influx.http import Reply
from nodetide_core.tiers import DEFAULT_TIERS, Tier

START = 1_700_000_040
_NAMES = st.sampled_from(["host", "interface", "table", "result", "error", "z,=\u00e9"])
_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=6) | st.sampled_from(
    ['"', 'a"b', ",", "a,b", '",', "_result", "1"]
)
_SERIES = st.tuples(st.dictionaries(_NAMES, _TEXT, max_size=3).map(make_tags), st.sampled_from(["in", "out"]))
_VALUES = st.integers(-(2**63), 2**63 - 1)
_SAMPLES = st.lists(st.tuples(st.integers(0, 2**31), _VALUES), min_size=1, max_size=5, unique_by=lambda pair: pair[0])


def written(time: int, fraction: str = "") -> str:
    return datetime.fromtimestamp(time, timezone.utc).strftime(f"%Y-%m-%dT%H:%M:%S{fraction}Z")


def answer(
    found: Mapping[tuple[Tags, str], Sequence[tuple[int, Any]]], kind: str = "long", fraction: str = ""
) -> bytes:
    """As InfluxDB gives it: a section for tables with the same columns, numbered through."""
    text = io.StringIO(newline="")
    lines = csv.writer(text)
    header: list[str] = []
    for number, ((tags, field), samples) in enumerate(found.items()):
        names = [name for name, _ in tags]
        columns = ["", "result", "table", "_time", "_value", "_field", *names]
        if columns != header:
            if header:
                text.write("\r\n")
            header = columns
            lines.writerow(["#datatype", "string", "long", "dateTime:RFC3339", kind, *["string"] * (1 + len(names))])
            lines.writerow(header)
        for time, value in samples:
            lines.writerow(
                ["", "_result", number, written(time, fraction), value, field, *(value for _, value in tags)]
            )
    text.write("\r\n")
    return text.getvalue().encode()


@given(st.dictionaries(_SERIES, _SAMPLES, max_size=5), st.sampled_from(["", ".5", ".000000001"]))
def test_an_answer_is_read_as_it_was_meant(found: Any, fraction: str) -> None:
    wanted = {
        (SeriesKey("net", tags), field): Samples([time for time, _ in samples], [value for _, value in samples])
        for (tags, field), samples in found.items()
    }
    assert read_samples(answer(found, fraction=fraction), "net", doing="x") == wanted


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_floats_come_back_to_the_last_bit(values: list[float]) -> None:
    found = read_samples(answer({((), "in"): list(enumerate(values))}, kind="double"), "net", doing="x")
    assert list(found[SeriesKey("net", ()), "in"].values) == values


def test_what_an_answer_says_instead() -> None:
    good = answer({((), "in"): [(1, 2)]})
    late = good + b"#datatype,string,string\r\n,error,reference\r\n,it broke,897\r\n\r\n"
    with pytest.raises(StoreRejected, match="x: it broke"):
        read_samples(late, "net", doing="x")
    with pytest.raises(StoreUnavailable):
        read_samples(b'error,reference\r\n"deadline exceeded, sorry",\r\n', "net", doing="x")
    with pytest.raises(StoreRejected, match="x: in is no number there"):
        read_samples(answer({((), "in"): [(1, "a")]}, kind="string"), "net", doing="x")
    for broken in (good[:-8], b"\xff", good.replace(b",2,", b",,"), b"what\r\nis this\r\n"):
        with pytest.raises(StoreUnavailable, match="the answer broke off"):
            read_samples(broken, "net", doing="x")
    assert read_samples(b"\r\n\r\n", "net", doing="x") == {}


def query(stop: int = START + 60, step: int = 60, **tags: Any) -> RangeQuery:
    return RangeQuery("b", DEFAULT_TIERS.raw, "net", ("in",), START, stop, step, Aggregate.RATE, tags)


def test_a_query_names_what_it_wants() -> None:
    asked = query(interface=frozenset({"eth0", 'a"${x}'}))
    assert samples_text(asked, START - 10) == (
        'from(bucket: "b") |> range(start: 2023-11-14T22:13:50Z, stop: 2023-11-14T22:15:00Z)'
        ' |> filter(fn: (r) => r._measurement == "net" and (r["_field"] == "in")'
        ' and (r["interface"] == "a\\"\\x24{x}" or r["interface"] == "eth0"))'
        ' |> drop(columns: ["_start", "_stop", "_measurement"])'
    )
    assert "stop: 2023-11-14T22:13:50Z) |> filter" in last_text(asked, START - 300, START - 10)
    assert " |> last() |> drop" in last_text(asked, START - 300, START - 10)


def test_few_series_and_long_ranges_are_left_to_influxql() -> None:
    assert is_short_and_wide(query(START + 300, 300), 300)
    assert not is_short_and_wide(query(START + 301, 1), 300)
    assert not is_short_and_wide(query(host=frozenset({"a"})), 300)
    rolled = RangeQuery("b", Tier("1m", 60, 0), "net", ("in",), START, START + 60, 60, Aggregate.RATE)
    assert not is_short_and_wide(rolled, 300)


class Held:
    """A caller that answers from what it holds."""

    def __init__(self, series: Mapping[tuple[Tags, str], Sequence[tuple[int, int]]]) -> None:
        self.series = series
        self.asked: list[str] = []

    def send(self, _method: str, _path: str, body: bytes, _headers: Any, *, doing: str) -> Reply:
        text = json.loads(body)["query"]
        self.asked.append(text)
        start, stop = (
            int(datetime.fromisoformat(found).replace(tzinfo=timezone.utc).timestamp())
            for found in re.findall(r"(?:start|stop): ([-0-9T:]+)Z", text)
        )
        within = {name: [pair for pair in held if start <= pair[0] < stop] for name, held in self.series.items()}
        if "last()" in text:
            within = {name: held[-1:] for name, held in within.items()}
        return Reply(200, {}, answer({name: held for name, held in within.items() if held}))


#: Where something begins or ends, for some gap and some interval.
_EDGES = st.sampled_from([-301, -300, -299, -70, -21, -20, -19, -11, -10, -1, 0, 1, 59, 60])
#: Seconds from the start, and what is seen there: counters that grow, stand, fall back, pause, come and go.
_HELD = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b", "c"]).map(lambda host: make_tags({"host": host})), st.just("in")),
    st.dictionaries(_EDGES | st.integers(-320, 70), st.integers(0, 9) | st.integers(0, 2**62), max_size=30).map(
        lambda held: [(START + at, held[at]) for at in sorted(held)]
    ),
    max_size=3,
)


@settings(max_examples=300)
@given(_HELD, st.sampled_from([1, 7, 60]), st.sampled_from([20, 300]), st.sampled_from([1, 10, 60]),
       st.sampled_from([Aggregate.RATE, Aggregate.INCREASE, Aggregate.LAST]))  # fmt: skip
def test_counters_grow_as_by_all_of_their_samples(
    held: Any, interval: int, gap: int, step: int, aggregate: Aggregate
) -> None:
    asked = query(step=step)

    def made(times: Sequence[int], values: Sequence[float]) -> Any:
        t, v, n = steps.CounterSteps(start=START, step=step, gap=gap).make(times, values, aggregate)
        return (list(t), list(v), list(n)) if t else None

    wanted = {}
    for (tags, field), samples in held.items():
        seen = [pair for pair in samples if START - gap <= pair[0] < asked.stop]
        whole = made([time for time, _ in seen], [value for _, value in seen])
        if whole is not None:
            wanted[SeriesKey("net", tags), field] = whole
    caller: Any = Held(held)
    found = {
        (key, field): whole
        for key, field, samples in growing_samples(caller, "o", asked, interval=interval, gap=gap)
        if (whole := made(*samples)) is not None
    }
    assert found == wanted


def test_one_question_is_enough_while_all_go_on() -> None:
    steady = {(make_tags({"host": "a"}), "in"): [(START + at, at + 400) for at in range(-300, 60)]}
    caller: Any = Held(steady)
    assert [*growing_samples(caller, "o", query(), interval=1, gap=300)]
    assert len(caller.asked) == 1
    slow: Any = Held({name: samples[::30] for name, samples in steady.items()})
    assert [*growing_samples(slow, "o", query(), interval=1, gap=300)]
    assert len(slow.asked) == 2
    assert [*growing_samples(slow, "o", query(), interval=30, gap=300)]
    assert len(slow.asked) == 3
