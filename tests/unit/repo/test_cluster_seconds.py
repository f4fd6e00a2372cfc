"""The judge of what is missing, of the tests on the real node."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from tests.cluster.seconds import Away, Second, holes, sampled, unexplained


def seconds(*numbers: int, missed: dict[int, int] | None = None) -> dict[int, Second]:
    """There are these; from a second in `missed` on, so many ticks are counted."""
    counted = missed or {}
    return {number: Second(sum(n for at, n in counted.items() if at <= number), 0) for number in numbers}


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ((1, 2, 3, 4), []),
        ((2, 3, 4), [range(1, 2)]),
        ((1, 4), [range(2, 4)]),
        ((1, 2, 3), [range(4, 5)]),
        ((), [range(1, 5)]),
        ((0, 1, 3, 9), [range(2, 3), range(4, 5)]),
    ],
)
def test_holes_are_what_is_not_there(there: tuple[int, ...], missing: list[range]) -> None:
    assert holes(seconds(*there), 1, 5) == missing


def test_a_hole_is_explained_only_where_no_collector_ran_all_along_it() -> None:
    found = seconds(1, 2, 6, 7)
    assert unexplained(found, 1, 8, [Away("", 3, 5)]) == []
    assert unexplained(found, 1, 8, [Away("", 3, 3), Away("", 4, 9)]) == []
    assert unexplained(found, 1, 8, [Away("", 3, 4)]) == [range(3, 6)]
    assert unexplained(found, 1, 8, []) == [range(3, 6)]


def test_a_hole_is_explained_where_the_collector_counted_all_of_it() -> None:
    assert unexplained(seconds(1, 2, 5, missed={5: 2}), 1, 6, []) == []
    assert unexplained(seconds(1, 2, 5, missed={5: 1}), 1, 6, []) == [range(3, 5)]
    assert unexplained(seconds(3, 4, missed={3: 9}), 1, 5, []) == [range(1, 3)], "nobody knows what was before"


def test_seconds_are_read_from_influxdbs_answer() -> None:
    out = io.StringIO()
    for field, value in (("success", 1), ("ticks_missed", 2), ("points_dropped", 3)):
        table = csv.writer(out)
        table.writerow(["", "result", "table", "field", "second", "value"])
        table.writerow(["", "_result", 0, field, 1_700_000_000, value])
        out.write("\r\n")

    class Influx:
        def call(self, method: str, path: str, body: Any, headers: Any) -> str:
            assert (method, path) == ("POST", "/api/v2/query?org=o")
            return out.getvalue()

    found = sampled(Influx(), org="o", bucket="b", host="h", start=1, stop=2)  # type: ignore[arg-type]
    assert found == {1_700_000_000: Second(2, 3)}
