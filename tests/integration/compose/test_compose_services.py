"""What docker-compose.yml declares, run: data get from the host to the API, and each token does one thing."""

from __future__ import annotations

import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.compose.conftest import EARLIER, GIVEN
from tests.integration.compose.resolved import ROOT, configuration
from tests.integration.compose.stack import OURS, Stack, stack, wait_until

from nodetide_core.alerts.model import AlertKey, AlertState, Phase
from nodetide_core.alerts.ports import AlertRecord
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.store import InfluxStore
from nodetide_core.tiers import DEFAULT_TIERS

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]


def token(stack: Stack, service: str) -> str:
    return stack.place(service, stack.services[service]["environment"]["INFLUXDB_TOKEN_FILE"]).read_text()


def write(stack: Stack, token: str, bucket: str) -> int:
    """The status of writing a point."""
    request = urllib.request.Request(
        f"{stack.influx.url}/api/v2/write?org={stack.influx.org}&bucket={bucket}",
        b"trial f=1",
        {"Authorization": f"Token {token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_guides_way_to_own_policies_is_taken(needs_parts: Callable[..., None], tmp_path: Path):
    needs_parts("docker-compose")
    (example,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/compose.md").read_text(), re.M | re.S)
    (tmp_path / "override.yml").write_text(example)
    services = configuration(overlays=[tmp_path / "override.yml"])["services"]
    for service in ("upkeep", "collector"):
        told = services[service]
        place = told["environment"]["NODETIDE_POLICY"]
        (mount,) = (mount for mount in told["volumes"] if mount["target"] == place)
        assert mount["read_only"] and Path(mount["source"]) == ROOT / "policies"
        assert told["environment"]["INFLUXDB_TOKEN_FILE"], "what was there is gone"


def test_this_host_is_seen_through_the_api(running: Stack):
    here = socket.gethostname()

    def hosts() -> set[str]:
        return {host["host"] for host in running.get("/api/v1/metrics/current?metric=cpu")["hosts"]}

    wait_until(lambda: here in hosts(), "no host at the API")
    assert hosts() <= {here, EARLIER}
    wait_until(
        lambda: any(
            series["v"]
            for series in running.get(f"/api/v1/metrics/history?metric=memory&start_time=-1m&host={here}")["series"]
        ),
        "no history at the API",
    )


def test_points_carry_the_tags_that_are_set(running: Stack):
    query = f"""from(bucket: "{running.influx.bucket}") |> range(start: -1m)
      |> filter(fn: (r) => r._measurement == "mem" and r.host != "{EARLIER}")
      |> distinct(column: "cluster") |> keep(columns: ["_value"])"""
    rows = wait_until(lambda: running.flux(query, GIVEN["INFLUXDB_TOKEN"]), "no points")
    assert {row[-1] for row in rows} == {GIVEN["NODETIDE_CLUSTER"]}


def test_upkeep_has_made_every_tier_of_the_default_policy(running: Stack):
    kept = {
        bucket["name"]: bucket["retentionRules"][0]["everySeconds"]
        for bucket in running.influx.call("GET", "/api/v2/buckets")["buckets"]
        if bucket["type"] == "user"
    }
    assert kept == {tier.bucket(running.influx.bucket): tier.retention for tier in DEFAULT_TIERS.tiers}
    tasks = running.influx.call("GET", "/api/v2/tasks")["tasks"]
    assert len(tasks) == len(DEFAULT_TIERS.rollups)


def test_the_collectors_token_writes_raw_points_and_nothing_else(running: Stack):
    mine, raw = token(running, "collector"), running.influx.bucket
    assert write(running, mine, raw) == 204
    assert write(running, mine, f"{raw}-5m") in (403, 404)
    with pytest.raises(urllib.error.HTTPError):
        running.flux(f'from(bucket: "{raw}") |> range(start: -1m)', mine)


def test_the_apis_token_reads_every_tier_and_nothing_else(running: Stack):
    mine = token(running, "api")
    for tier in DEFAULT_TIERS.tiers:
        running.flux(f'from(bucket: "{tier.bucket(running.influx.bucket)}") |> range(start: -1m)', mine)
    assert write(running, mine, running.influx.bucket) in (401, 403, 404)
    with pytest.raises(urllib.error.HTTPError):
        running.flux('from(bucket: "_tasks") |> range(start: -1m)', mine)


def test_the_apis_token_reads_alerts(running: Stack):
    raw, now = running.influx.bucket, int(time.time())
    influx = InfluxStore(StoreConfig(running.influx.url, running.influx.org, lambda: GIVEN["INFLUXDB_TOKEN"]))
    try:
        state = AlertState(Phase.FIRING, now, now, 0, now, 1.0)
        influx.remember(raw, {AlertKey(raw, "Up", "info", ()): AlertRecord(state, {}, {})}, {}, now)
    finally:
        influx.close()
    answer = wait_until(lambda: (found := running.get("/api/v1/alerts"))["alerts"] and found, "no alert at the API")
    assert (answer["evaluated"], answer["firing"], answer["alerts"][0]["name"]) == (True, 1, "Up")


def test_grafana_reads_with_the_apis_token(running: Stack):
    assert running.place("grafana", "/run/token/token").read_text() == token(running, "api")


def test_only_influxdb_and_upkeep_get_the_administrators_token(running: Stack):
    holders = {
        service
        for service in running.services
        if any(mount["source"] == "influxdb-keys" for mount in running.services[service]["volumes"])
    }
    assert holders == {"keys", "influxdb", "upkeep"}
    assert token(running, "upkeep") == GIVEN["INFLUXDB_TOKEN"]
    for service in ("collector", "api"):
        assert token(running, service) != GIVEN["INFLUXDB_TOKEN"]


def test_no_secret_is_in_a_log(running: Stack):
    secrets = {GIVEN["INFLUXDB_TOKEN"], GIVEN["INFLUXDB_PASSWORD"], token(running, "collector"), token(running, "api")}
    for service in OURS:
        text = (running.folder / f"{service}.log").read_text()
        assert "setting INFLUXDB_URL" in text
        assert not [secret for secret in secrets if secret in text]


def test_what_was_set_first_stays(running: Stack):
    before = {path: path.read_text() for path in running.volume("influxdb-keys").iterdir()}
    assert running.make_keys() == ""
    assert {path: path.read_text() for path in running.volume("influxdb-keys").iterdir()} == before


@pytest.fixture
def stopped(needs_parts: Callable[..., None], tmp_path: Path) -> Stack:
    needs_parts("docker-compose", "influxd")
    return Stack(configuration(), tmp_path)


def test_keys_are_made_where_none_are_set(stopped: Stack):
    said = stopped.make_keys()
    made = [stopped.place("influxdb", "/run/keys/token"), stopped.place("influxdb", "/run/keys/password")]
    made.append(stopped.place("grafana", "/run/keys/password"))
    words = [path.read_text() for path in made]
    assert all(len(word) == 48 and int(word, 16) for word in words)
    assert len(set(words)) == 3
    assert not [word for word in words if word in said]


def test_each_ends_in_order_within_its_grace(needs_parts: Callable[..., None], tmp_path: Path):
    needs_parts("docker-compose", "influxd")
    with stack(configuration(), tmp_path) as services:
        for service in reversed(OURS):
            process = services.processes[service]
            process.stop(patience=float(services.services[service]["stop_grace_period"].removesuffix("s")))
            assert process.exit_code == 0, f"{service}\n{process.tail()}"
