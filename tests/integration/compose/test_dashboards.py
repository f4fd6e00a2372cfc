"""Every panel and variable of every dashboard, its variables filled in as Grafana does, gives rows: from the real
influxd, of what the real collector wrote and upkeep rolled up, with the token that Grafana has."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import pytest
from tests.integration.compose.conftest import EARLIER
from tests.integration.compose.resolved import ROOT
from tests.integration.compose.stack import Stack, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

BOARDS = {path.name: json.loads(path.read_text()) for path in sorted((ROOT / "grafana/dashboards").glob("*.json"))}
PANELS = [
    pytest.param(target["query"], id=f"{board['title']}: {panel['title']}")
    for board in BOARDS.values()
    for panel in board["panels"]
    for target in panel.get("targets", [])
]
VARIABLES = {
    (board["title"], variable["name"]): variable["query"]
    for board in BOARDS.values()
    for variable in board["templating"]["list"]
}


def filled(query: str, *, bucket: str, host: str, window: str) -> str:
    """As Grafana's InfluxDB plugin fills it in, for the last hour."""
    values = {
        "${bucket}": bucket,
        "${host:regex}": re.sub(r"([\\^$*+?.()|{}\[\]/-])", r"\\\1", host),
        "v.timeRangeStart": "-1h",
        "v.timeRangeStop": "now()",
        "v.windowPeriod": window,
    }
    for name, value in values.items():
        query = query.replace(name, value)
    assert not re.search(r"\$\{|\bv\.|__\w", query), f"a variable is left in {query}"
    return query


def read(stack: Stack, query: str) -> list[list[str]]:
    return stack.flux(query, stack.place("grafana", "/run/token/token").read_text())


@pytest.mark.parametrize("query", PANELS)
@pytest.mark.parametrize(("tier", "host", "window"), [("", None, "1s"), ("-5m", EARLIER, "5m")], ids=["raw", "5m"])
def test_panel_shows_something(query: str, tier: str, host: str | None, window: str, running: Stack):
    bucket = running.influx.bucket + tier
    text = filled(query, bucket=bucket, host=host or socket.gethostname(), window=window)
    rows = wait_until(lambda: read(running, text), f"nothing for\n{text}")
    wanted = set(re.findall(r'r\._field == "(\w+)"', text))
    if len(wanted) > 1:  # each of them, not some
        assert {field for row in rows for field in row} >= wanted


def test_all_hosts_are_one_of_the_choices(running: Stack):
    board = next(iter(BOARDS.values()))
    (hosts,) = (variable for variable in board["templating"]["list"] if variable["name"] == "host")
    query = (
        'from(bucket: "${bucket}") |> range(start: v.timeRangeStart) |> filter(fn: (r) => r.host =~ /^${host:regex}$/)'
    )
    text = query.replace("${host:regex}", hosts["allValue"]).replace("${bucket}", running.influx.bucket)
    rows = read(
        running, text.replace("v.timeRangeStart", "-1h") + ' |> keep(columns: ["host"]) |> distinct(column: "host")'
    )
    assert {row[-1] for row in rows} == {EARLIER, socket.gethostname()}


def test_buckets_to_choose_from_are_the_tiers_finest_first(running: Stack):
    rows = read(running, VARIABLES["System metrics", "bucket"])
    raw = running.influx.bucket
    assert sorted(row[-1] for row in rows) == [raw, f"{raw}-1d", f"{raw}-1h", f"{raw}-5m"]


def test_hosts_to_choose_from_are_those_that_write(running: Stack):
    query = VARIABLES["System metrics", "host"].replace("${bucket}", running.influx.bucket)
    rows = wait_until(lambda: found if len(found := read(running, query)) > 1 else None, "one host only")
    assert {row[-1] for row in rows} == {EARLIER, socket.gethostname()}


def test_panels_name_the_source_that_is_provisioned(running: Stack):
    import yaml

    (source,) = yaml.safe_load((ROOT / "grafana/provisioning/datasources/nodetide.yml").read_text())["datasources"]
    used: set[Any] = set()
    for board in BOARDS.values():
        for panel in board["panels"]:
            used |= {(target["datasource"]["type"], target["datasource"]["uid"]) for target in panel.get("targets", [])}
    assert used == {(source["type"], source["uid"])}


def test_panels_do_not_overlap():
    for board in BOARDS.values():
        taken = [
            (column, row)
            for panel in board["panels"]
            for place in [panel["gridPos"]]
            for column in range(place["x"], place["x"] + place["w"])
            for row in range(place["y"], place["y"] + place["h"])
        ]
        assert len(taken) == len(set(taken))
        assert max(column for column, _ in taken) == 23
