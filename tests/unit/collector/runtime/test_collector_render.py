from __future__ import annotations

import json

from nodetide_collector.sinks.jsonlines import render_json
from nodetide_collector.sinks.table import render_table
from nodetide_core.points import Point, make_tags

POINTS = [
    Point("mem", make_tags({"host": "n1"}), {"total": 3 * 2**30, "used_percent": 12.345}, 1_700_000_000),
    Point("net", make_tags({"host": "n1", "interface": "eth0"}), {"bytes_recv": 900, "speed": 1000}, 1_700_000_000),
    Point("kernel", make_tags({"host": "n1"}), {"boot_time": 0, "interrupts": 5}, 1_700_000_000),
    Point("collector", make_tags({"host": "n1", "group": "all"}), {"policy_hash": "abc"}, 1_700_000_000),
]


def test_json_lines_hold_the_points_as_they_are() -> None:
    lines = render_json(POINTS).splitlines()
    assert [
        Point(o["measurement"], make_tags(o["tags"]), o["fields"], o["time"]) for o in map(json.loads, lines)
    ] == POINTS
    assert render_json([]) == ""


def test_the_table() -> None:
    assert render_table(POINTS) == (
        "2023-11-14T22:13:20Z  host=n1\n"
        "\n"
        "MEASUREMENT  SERIES          FIELD                        VALUE  UNIT\n"
        "mem          -               total                          3.0  GiB\n"
        "mem          -               used_percent                 12.35  %\n"
        "net          interface=eth0  bytes_recv                     900  B\n"
        "net          interface=eth0  speed                         1000  Mbit/s\n"
        "kernel       -               boot_time     1970-01-01T00:00:00Z\n"
        "kernel       -               interrupts                       5\n"
        "collector    group=all       policy_hash                    abc\n"
    )


def test_fields_stand_in_the_order_of_the_catalogue() -> None:
    point = Point("mem", (), {"used_percent": 1.0, "free": 1, "total": 2}, 0)
    rows = [line.split() for line in render_table([point]).splitlines()[3:]]
    assert [row[2] for row in rows] == ["total", "free", "used_percent"]


def test_bytes_are_scaled_and_never_rounded_out_of_their_unit() -> None:
    def shown(value: int) -> list[str]:
        return render_table([Point("mem", (), {"total": value}, 0)]).splitlines()[-1].split()[-2:]

    assert shown(0) == ["0", "B"]
    assert shown(1023) == ["1023", "B"]
    assert shown(1024) == ["1.0", "KiB"]
    assert shown(2**63 - 1) == ["8.0", "EiB"]


def test_no_points() -> None:
    assert render_table([]) == "no points\n"
