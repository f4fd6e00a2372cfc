"""Every panel and variable of every dashboard, its variables filled in as Grafana does, gives rows: from the real
influxd, of what the real collector wrote and upkeep rolled up, with the token that Grafana has."""

from __future__ import annotations

import json
import re
import socket
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from tests.integration.compose.conftest import EARLIER
from tests.integration.compose.resolved import ROOT
from tests.integration.compose.stack import Stack, wait_until

from nodetide_core.alerts.model import AlertKey, AlertState, Phase
from nodetide_core.alerts.ports import AlertRecord
from nodetide_core.lineprotocol import Encoder
from nodetide_core.stores.influx.alert_records import points

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


def filled(
    query: str, *, bucket: str, host: str = ".*", window: str = "1s", policy: str = "", cluster: str = ".*",
    span: timedelta = timedelta(hours=1),
) -> str:  # fmt: skip
    """As Grafana's InfluxDB plugin fills it in."""
    stop = datetime.now(timezone.utc)
    values = {
        "${policy}": policy or bucket,
        "${policy:regex}": regex(policy or bucket),
        "${bucket}": bucket,
        "${cluster:regex}": cluster,
        "${host:regex}": host if host == ".*" else regex(host),
        "v.timeRangeStart": (stop - span).isoformat().replace("+00:00", "Z"),
        "v.timeRangeStop": stop.isoformat().replace("+00:00", "Z"),
        "v.windowPeriod": window,
    }
    for name, value in values.items():
        query = query.replace(name, value)
    assert not re.search(r"\$\{|\bv\.|__\w", query), f"a variable is left in {query}"
    return query


def regex(text: str) -> str:
    return re.sub(r"([\\^$*+?.()|{}\[\]/-])", r"\\\1", text)


@pytest.fixture(scope="module")
def firing(running: Stack) -> None:
    """An alert that fires, and one that has ended, saved as the evaluator saves them."""
    bucket, now = running.influx.bucket, int(time.time())
    records = {}
    for name, phase in (("Busy", Phase.FIRING), ("Calm", Phase.INACTIVE)):
        state = AlertState(phase, since=now - 90, fired=now - 60, seen=now, value=97.5)
        key = AlertKey(bucket, name, "critical", (("host", EARLIER),))
        records[key] = AlertRecord(state, {"alertname": name, "host": EARLIER}, {"summary": 'It\'s "busy"'})
    where = f"/api/v2/write?org={running.influx.org}&bucket={bucket}&precision=s"
    running.influx.call("POST", where, "\n".join(Encoder().lines(points(records, {}, now))))


def read(stack: Stack, query: str) -> list[list[str]]:
    return stack.flux(query, stack.place("grafana", "/run/token/token").read_text())


@pytest.mark.parametrize("query", PANELS)
@pytest.mark.parametrize(("tier", "host", "window"), [("", None, "1s"), ("-5m", EARLIER, "5m")], ids=["raw", "5m"])
def test_panel_shows_something(query: str, tier: str, host: str | None, window: str, running: Stack, firing: None):
    policy = running.influx.bucket

    def asked() -> str:
        """As of now: what comes while one waits is not in the range of before."""
        return filled(query, bucket=policy + tier, policy=policy, host=host or socket.gethostname(), window=window)

    text = asked()
    found = set(re.findall(r'r\._field == "(\w+)"', text))
    wanted = found if len(found) > 1 and "pivot(" not in text else set()  # each of them, not some

    def shown() -> bool:
        rows = read(running, asked())
        return bool(rows) and {field for row in rows for field in row} >= wanted

    wait_until(shown, f"nothing, or not all, for\n{text}")


def test_the_alert_that_fires_is_in_the_table_and_the_one_that_has_ended_is_not(running: Stack, firing: None):
    (query,) = (param.values[0] for param in PANELS if param.id == "Alerts: Firing")
    rows = read(running, filled(str(query), bucket=running.influx.bucket))
    assert len(rows) == 1, rows
    assert {"Busy", "critical", "97.5"} <= set(rows[0])


def test_all_hosts_are_one_of_the_choices(running: Stack):
    (hosts,) = (item for item in BOARDS["fleet-dashboard.json"]["templating"]["list"] if item["name"] == "host")
    query = (
        'from(bucket: "${bucket}") |> range(start: -1h) |> filter(fn: (r) => r.host =~ /^${host:regex}$/)'
        ' |> keep(columns: ["host"]) |> distinct(column: "host")'
    )
    query = query.replace("${host:regex}", hosts["allValue"]).replace("${bucket}", running.influx.bucket)

    def hosts_seen() -> set[str]:
        return {row[-1] for row in read(running, query)} - {""}  # what alerts remember may be of none

    assert wait_until(lambda: found if len(found := hosts_seen()) > 1 else None, "one host only") == {
        EARLIER, socket.gethostname(),
    }  # fmt: skip


def test_one_host_at_a_time_is_shown_in_depth():
    (host,) = (item for item in BOARDS["node-dashboard.json"]["templating"]["list"] if item["name"] == "host")
    assert not host.get("multi")


def test_policies_to_choose_from_are_raw_buckets(running: Stack):
    rows = read(running, VARIABLES["Fleet", "policy"])
    assert [row[-1] for row in rows] == [running.influx.bucket]


@pytest.mark.parametrize(
    ("span", "offered"),
    [
        (timedelta(hours=1), ["", "-5m", "-1h", "-1d"]),
        (timedelta(hours=12), ["", "-5m", "-1h", "-1d"]),
        (timedelta(hours=13), ["-5m", "-1h", "-1d"]),
        (timedelta(days=4), ["-1h", "-1d"]),
        (timedelta(days=16), ["-1d"]),
        (timedelta(days=900), ["-1d"]),
    ],
    ids=str,
)
def test_tiers_to_choose_from_are_those_that_the_time_affords_finest_first(
    span: timedelta, offered: list[str], running: Stack
):
    raw = running.influx.bucket
    rows = read(running, filled(VARIABLES["Fleet", "bucket"], bucket="", policy=raw, span=span))
    assert [row[-1] for row in rows] == [raw + tier for tier in offered]


def test_clusters_and_hosts_to_choose_from_are_those_that_write(running: Stack):
    bucket = running.influx.bucket

    def hosts() -> list[list[str]]:
        return read(running, filled(VARIABLES["Fleet", "host"], bucket=bucket))

    rows = wait_until(lambda: found if len(found := hosts()) > 1 else None, "one host only")
    assert {row[-1] for row in rows} == {EARLIER, socket.gethostname()}
    assert [row[-1] for row in read(running, filled(VARIABLES["Fleet", "cluster"], bucket=bucket))] == ["home"]
    # What was sampled earlier has no cluster.
    query = filled(VARIABLES["Fleet", "host"], bucket=bucket, cluster="home")
    assert [row[-1] for row in read(running, query)] == [socket.gethostname()]


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
