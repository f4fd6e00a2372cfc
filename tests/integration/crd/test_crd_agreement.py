"""Policies changed at random: core and the apiserver agree, but for the few kinds of difference listed here."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from nodetide_core.durations import DURATION_PATTERN
from nodetide_core.errors import PolicyError, Problem
from nodetide_core.policy import parse_policy

pytestmark = pytest.mark.peer

ROOT = Path(__file__).resolve().parents[3]
STARTS = [
    *(yaml.safe_load(file.read_text())["spec"] for file in sorted((ROOT / "manifests" / "examples").glob("*.yaml"))),
    *(spec for spec in yaml.safe_load((ROOT / "tests/fixtures/policies/valid.yaml").read_text()) if spec),
]
# How long an example takes says something of the machine, and nothing of the code.
UNTIMED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Place = tuple[Any, ...]

_DURATIONS = st.sampled_from(
    ["0", "0s", "1s", "5s", "10s", "59m", "1h", "60m1s", "2h", "24h", "1d", "7d", "1w", "1h1m", "5m", "10m", "30m"]
)  # fmt: skip
_NUMBERS = st.sampled_from([-1, 0, 1, 5, 10, 1.5, 95, 96, 2001, 10**5])
_ANYTHING = st.one_of(
    _DURATIONS,
    _NUMBERS,
    st.sampled_from(
        ["500ms", "1", "-1s", "1m\n", "", " ", "a b", "raw", "5m", "host", "cpu", "cpu.usage_active", "mem", "mem.used",
         "mem.nothing", "no.such", "collector.policy_hash", "threshold", "deadman", "flux", "http", "slack", "In",
         "Exists", "Retain", "mean", "warning", "critical", "http://x", "ftp://x", "_x", "a/b", "x" * 300, "zone",
         "example.com/zone", "Ünï", "influxdb", "2026-02-28T23:59:59Z", "2026-02-29T00:00:00Z",
         "2024-02-29T00:00:00.5+09:00", "2026-01-31T24:00:00Z",
         "2026-01-31T18:00:60Z", "2026-01-31T18:00:00+24:00", "1999-12-31T18:00:00Z"]
    ),
    st.sampled_from([None, True, False, 50.0, 10**6, 10**20, 1e300]),
    st.sampled_from([[], {}, [1], [1, 2], [2, 1], ["zone"], ["zone", "zone"], ["host"], [None], {"a": "b"},
                     {"above": 1}, {"above": 1, "recover": 2}, {"inside": [2, 1]}, {"name": "raw", "retention": "1h"}]),
).map(copy.deepcopy)  # fmt: skip
_KEYS = st.sampled_from(
    ["interval", "groups", "labels", "nodeLabels", "bucket", "tiers", "window", "retention", "name", "type", "metric",
     "every", "for", "aggregate", "critical", "warning", "above", "below", "inside", "outside", "recover", "flux",
     "url", "secretRef", "key", "predictAfter", "alertEngine", "until", "match",
     "operator", "values", "cpu", "disk", "host", "a b", "unknown", "include", "perCpu"]
)  # fmt: skip


def places(value: Any, path: Place = ()) -> list[Place]:
    """Every path in a document, its own first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def value_at(document: Any, path: Place) -> Any:
    for key in path:
        document = document[key]
    return document


def others(value: Any) -> st.SearchStrategy[Any]:
    """What could stand there instead: mostly of the same kind, so that some changes are right."""
    if isinstance(value, bool):
        alike: st.SearchStrategy[Any] = st.booleans()
    elif isinstance(value, (int, float)):
        alike = _NUMBERS
    elif isinstance(value, str) and re.fullmatch(DURATION_PATTERN, value):
        alike = _DURATIONS
    else:
        return _ANYTHING
    return st.one_of(alike, alike, alike, _ANYTHING)


@st.composite
def changed(draw: st.DrawFn) -> Any:
    spec = copy.deepcopy(draw(st.sampled_from(STARTS)))
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        if not (there := places(spec)[1:]):
            return draw(_ANYTHING)
        *parents, last = draw(st.sampled_from(there))
        holder = value_at(spec, tuple(parents))
        what = draw(st.sampled_from(["replace", "replace", "replace", "remove", "add", "twice", "swap"]))
        if what == "remove":
            del holder[last]
        elif what == "add" and isinstance(holder[last], dict):
            holder[last][draw(_KEYS)] = draw(_ANYTHING)
        elif what == "twice" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[last]))
        elif what == "swap" and isinstance(holder, list):
            holder.reverse()
        else:
            holder[last] = draw(others(holder[last]))
    return spec


# The kinds of difference ----------------------------------------------------------------------------------------


def _is_null(document: Any, problem: Problem) -> bool:
    """A null is removed where it may not stand, with all that should be in it; and where it may stand (a
    severity), CEL takes it for absent."""
    nulls = [named(place) for place in places(document) if value_at(document, place) is None]
    return any(problem.path == null or problem.path.startswith(f"{null}.") for null in nulls)


def _is_whole(document: Any, problem: Problem) -> bool:
    """Go reads 50.0 as 50, since JSON has one kind of number."""
    values = [value_at(document, place) for place in places(document) if named(place) == problem.path]
    return "must be a whole number" in problem.message and all(isinstance(v, float) and v.is_integer() for v in values)


LEFT_TO_CORE: tuple[Callable[[Any, Problem], bool], ...] = (_is_null, _is_whole)


def named(place: Place) -> str:
    """A place as core writes it."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place).removeprefix(".")


def agree(api: Any, written: Any) -> bool | None:
    """Whether both accept; None where core alone refuses, for a reason that is listed."""
    answer = api.try_out(written)
    try:
        policy = parse_policy(written)
    except PolicyError as error:
        if answer.accepted:
            note(str(error))
            assert all(any(kind(written, problem) for kind in LEFT_TO_CORE) for problem in error.problems)
            return None
        return False
    assert answer.accepted, answer.causes
    # And it means the same with the apiserver's defaults filled in.
    assert dataclasses.replace(parse_policy(answer.body), hash="") == dataclasses.replace(policy, hash="")
    return True


def both_outcomes(seen: Counter[bool | None]) -> None:
    """A property would hold of nothing but refusals, too."""
    assert min(seen[True], seen[False]) >= 10, seen


def test_of_a_policy_changed_at_random(api: Any, document: Callable[..., Any]):
    seen: Counter[bool | None] = Counter()

    @given(spec=changed())
    @UNTIMED
    def holds(spec: Any) -> None:
        seen[agree(api, document(spec))] += 1

    holds()
    both_outcomes(seen)


_units = st.tuples(st.sampled_from(["", "0", "00"]), st.integers(0, 99), st.sampled_from("wdhms"))
_written = st.lists(_units.map(lambda unit: f"{unit[0]}{unit[1]}{unit[2]}"), min_size=1, max_size=4).map("".join)
_any_duration = st.one_of(_DURATIONS, _written)


def test_of_durations_however_they_are_written(api: Any, document: Callable[..., Any]):
    seen: Counter[bool | None] = Counter()

    @given(st.lists(_any_duration, min_size=3, max_size=3), st.lists(st.tuples(_DURATIONS, _any_duration), max_size=3))
    @UNTIMED
    def holds(durations: list[str], later: list[tuple[str, str]]) -> None:
        interval, slower, raw = durations
        tiers = [{"name": f"t{n}", "window": window, "retention": kept} for n, (window, kept) in enumerate(later)]
        collection = {"interval": interval, "groups": {"disk": {"interval": slower}}}
        seen[agree(api, document({"collection": collection}))] += 1
        seen[agree(api, document({"storage": {"tiers": [{"name": "raw", "retention": raw}, *tiers]}}))] += 1

    holds()
    both_outcomes(seen)
