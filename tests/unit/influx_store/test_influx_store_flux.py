"""Flux texts: which fields they take, and of when. What they compute is shown on a real influxd."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.catalogue import CATALOGUE, Kind, Type
from nodetide_core.store import Stream
from nodetide_core.stores.influx.flux import LOOK_BACK, run_text, task_offset, task_text
from nodetide_core.tiers import DEFAULT_TIERS, RAW, Tier, Tiers

STREAM = Stream("p", "b")
FIRST, WIDER = DEFAULT_TIERS.tiers[1:3]
KINDS = {(item.name, field.name): field for item in CATALOGUE for field in item.fields}


def taken(text: str, name: str, known: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The (measurement, field) pairs that a predicate takes, of those that are known."""
    (predicate,) = re.findall(rf"^{name} = \(r\) => (.*)$", text, re.MULTILINE)
    pairs = re.findall(r"\(r\._measurement =~ /(.*?)/ and r\._field =~ /(.*?)/\)", predicate)
    assert predicate == " or ".join(f"(r._measurement =~ /{m}/ and r._field =~ /{f}/)" for m, f in pairs)
    return {(m, f) for m, f in known if any(re.search(mine, m) and re.search(fields, f) for mine, fields in pairs)}


def of(*kinds: Kind, suffix: str = "", type: Type | None = None) -> set[tuple[str, str]]:
    return {(m, f + suffix) for (m, f), field in KINDS.items() if field.kind in kinds and type in (None, field.type)}


def test_raw_fields_are_taken_by_their_kind_and_type() -> None:
    text = run_text(STREAM, FIRST, CATALOGUE, start=0, stop=300)
    assert taken(text, "gauges", set(KINDS)) == of(Kind.GAUGE)
    assert taken(text, "counters", set(KINDS)) == of(Kind.COUNTER)
    assert taken(text, "floats", set(KINDS)) == of(Kind.COUNTER, type=Type.FLOAT)
    assert taken(text, "integers", set(KINDS)) == of(Kind.COUNTER, type=Type.INT)


def test_fields_of_a_tier_are_taken_by_what_they_hold() -> None:
    text = run_text(STREAM, WIDER, CATALOGUE, start=0, stop=3_600)
    rolled = of(Kind.GAUGE, Kind.COUNTER)
    for suffix in ("_min", "_max", "_count"):
        rolled |= of(Kind.GAUGE, suffix=suffix)
    for suffix in ("_increase", "_seconds"):
        rolled |= of(Kind.COUNTER, suffix=suffix)
    for name, expected in (
        ("in_min", of(Kind.GAUGE, suffix="_min")),
        ("in_max", of(Kind.GAUGE, suffix="_max")),
        ("in_last", of(Kind.COUNTER)),
        ("means", of(Kind.GAUGE)),
        ("counts", of(Kind.GAUGE, suffix="_count")),
        (
            "in_sum",
            of(Kind.GAUGE, suffix="_count")
            | of(Kind.COUNTER, suffix="_increase")
            | of(Kind.COUNTER, suffix="_seconds"),
        ),
    ):
        assert taken(text, name, rolled) == expected, name


def test_a_task_and_a_run_by_hand_differ_in_their_times_alone() -> None:
    for tier in (FIRST, WIDER):
        task = task_text(STREAM, tier, CATALOGUE, name="x").splitlines()
        run = run_text(STREAM, tier, CATALOGUE, start=0, stop=tier.window).splitlines()
        differing = {line.split(" = ")[0] for line in set(task) ^ set(run)}
        assert differing <= {
            "option task",
            "ended",
            "claims",
            "start",
            "stop",
            'import "date"',
            'import "experimental"',
        }
        assert f"experimental.addDuration(d: -{LOOK_BACK * tier.window}s, to: stop)" in "\n".join(task)


def test_offsets_are_staggered_and_within_the_window() -> None:
    offsets = [task_offset(STREAM, tier) for tier in DEFAULT_TIERS.rollups]
    assert offsets == [60, 180, 300]
    narrow = Stream("p", "b", Tiers((DEFAULT_TIERS.raw, Tier("10s", 10, 0))))
    assert task_offset(narrow, narrow.tiers.tiers[1]) == 5


@given(st.integers(1, 4_000), st.integers(1, 1_000))
def test_no_gap_hides_inside_of_a_piece(window: int, gap: int) -> None:
    stream = Stream("p", "b", Tiers((Tier(RAW, 0, 0), Tier("w", window, 0)), gap))
    text = run_text(stream, stream.tiers.tiers[1], CATALOGUE, start=0, stop=window)
    (piece,) = set(map(int, re.findall(r"window\(every: ([0-9]+)s\)", text)))
    assert window % piece == 0
    assert piece <= gap


@pytest.mark.parametrize("tier", [FIRST, WIDER])
def test_hosts_are_quoted(tier: Tier) -> None:
    text = run_text(STREAM, tier, CATALOGUE, start=0, stop=tier.window, hosts=['a" or true or "', "b"])
    assert r'r.host == "a\" or true or \"" or r.host == "b"' in text
