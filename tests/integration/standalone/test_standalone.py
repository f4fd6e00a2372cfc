"""`nodetide run`, from start to end, as a user sees it."""

from __future__ import annotations

import signal
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.standalone.process import seconds, until

from nodetide.exits import Exit

Start = Callable[..., Any]

POLICY = """
apiVersion: nodetide.io/v1alpha1
kind: MetricPolicy
metadata: {name: small}
spec:
  collection: {interval: INTERVAL, groups: {mem: {}, system: {}}}
"""


def test_real_data_and_the_page_soon_after_the_start(run: Start):
    one = run().wait_until_running()
    until(one.newest, 180, one.text)
    current = one.get("/api/v1/metrics/current")
    values = {s["measurement"]: s["values"] for host in current["hosts"] for s in host["series"]}
    total = int(next(line for line in Path("/proc/meminfo").read_text().splitlines() if "MemTotal" in line).split()[1])
    assert values["mem"]["total"] == 1024 * total
    with urllib.request.urlopen(one.url + "/") as answer:
        assert b"<title>" in answer.read()
    assert one.get("/health")["status"] == "ok"


def test_history_is_still_there_after_a_restart(run: Start):
    first = run().wait_until_running()
    until(first.newest, 180, first.text)
    before = first.newest()
    assert first.end(signal.SIGINT) == Exit.OK
    assert "Traceback" not in first.text()
    second = run().wait_until_running()
    history = second.get(f"/api/v1/metrics/history?metric=memory&start_time={before - 5}&step=1")
    assert before in history["series"][0]["t"]


def test_the_last_second_is_flushed_at_the_end(run: Start):
    one = run().wait_until_running()
    until(one.newest, 180, one.text)
    seen = one.newest()
    one.end(signal.SIGTERM)
    again = run().wait_until_running()
    assert seen in again.get(f"/api/v1/metrics/history?metric=memory&start_time={seen - 2}&step=1")["series"][0]["t"]


def test_a_second_instance_on_the_same_data_names_the_first(run: Start):
    first = run().wait_until_running()
    second = run()
    assert second.process.wait(180) == Exit.IN_USE
    assert str(first.process.pid) in second.text()
    assert "data" in second.text()
    assert first.process.poll() is None


def test_a_busy_port_is_named(start: Start, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        one = start("run", "--listen", f"127.0.0.1:{port}", "--data-dir", str(tmp_path / "data"))
        assert one.process.wait(180) == Exit.IN_USE
        assert f"127.0.0.1:{port}" in one.text()
        assert "choose another port" in one.text()
    assert not (tmp_path / "data").exists()


def test_a_foreign_database_is_left_alone(run: Start, tmp_path: Path):
    first = run().wait_until_running()
    first.end()
    database = next(path for path in (tmp_path / "data").iterdir() if path.stat().st_size > 4096)
    database.write_bytes(b"this is somebody's diary" * 400)
    second = run()
    assert second.process.wait(180) == Exit.DAMAGED
    assert database.name in second.text()
    assert database.read_bytes().startswith(b"this is somebody's diary")


def test_a_data_directory_that_cannot_be_made(start: Start, tmp_path: Path):
    (tmp_path / "file").write_text("")
    one = start("run", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "file" / "data"))
    assert one.process.wait(180) == Exit.FAILED
    assert "file" in one.text()
    assert "Traceback" not in one.text()


def test_a_wrong_policy_names_every_problem(run: Start, tmp_path: Path):
    (tmp_path / "policy.yaml").write_text(POLICY.replace("INTERVAL", "1y"))
    one = run("--policy", "policy.yaml")
    assert one.process.wait(180) == Exit.USAGE
    assert "spec.collection.interval" in one.text()


def test_a_policy_is_reloaded_and_a_wrong_one_refused(run: Start, tmp_path: Path):
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY.replace("INTERVAL", "1s"))
    one = run("--policy", str(policy)).wait_until_running()
    until(one.newest, 180, one.text)
    policy.write_text(POLICY.replace("INTERVAL", "none"))
    until(lambda: "not applied" in one.text(), 180, one.text)
    seen = one.newest()
    until(lambda: one.newest() > seen, 180, one.text)
    policy.write_text(POLICY.replace("mem: {}", "mem: {}, swap: {}").replace("INTERVAL", "1s"))
    until(lambda: any(h["series"] for h in one.get("/api/v1/metrics/current?metric=swap")["hosts"]), 180, one.text)


def test_the_api_token_is_asked_for_and_never_logged(start: Start, tmp_path: Path, monkeypatch: Any):
    monkeypatch.setenv("NODETIDE_API_TOKEN", "open-sesame-1234")
    one = start("run", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")).wait_until_running()
    request = urllib.request.Request(one.url + "/api/v1/nodes", headers={"Authorization": "Bearer open-sesame-1234"})
    until(lambda: urllib.request.urlopen(request).status == 200, 180, one.text)
    try:
        urllib.request.urlopen(one.url + "/api/v1/nodes")
    except urllib.error.HTTPError as refused:
        assert refused.code == 401
    else:
        raise AssertionError("answered without a token")
    one.end()
    assert "open-sesame" not in one.text()
    assert "set, not shown" in one.text()


def test_stored_data_can_be_served_beside_the_running_one(run: Start, start: Start, tmp_path: Path):
    first = run().wait_until_running()
    until(first.newest, 180, first.text)
    second = start("serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")).wait_until_running()
    until(second.newest, 180, second.text)
    assert second.end(signal.SIGTERM) == Exit.OK
    assert first.process.poll() is None


def test_the_host_tag_is_the_name_given(run: Start):
    one = run("--host-name", "node-7").wait_until_running()
    until(one.newest, 180, one.text)
    assert [node["host"] for node in one.get("/api/v1/nodes")["nodes"]] == ["node-7"]
    assert seconds(one.get("/api/v1/nodes")["nodes"][0]["last_seen"]) > 0


def test_a_shorter_retention_needs_the_annotation(run: Start, tmp_path: Path):
    policy = tmp_path / "policy.yaml"
    tiers = "  storage: {tiers: [{name: raw, retention: RETENTION}]}\n"
    policy.write_text(POLICY.replace("INTERVAL", "1s") + tiers.replace("RETENTION", "48h"))
    first = run("--policy", str(policy)).wait_until_running()
    until(first.newest, 180, first.text)
    first.end()
    shorter = POLICY.replace("INTERVAL", "1s") + tiers.replace("RETENTION", "2h")
    policy.write_text(shorter)
    second = run("--policy", str(policy))
    assert second.process.wait(180) == Exit.FAILED
    assert "nodetide.io/allow-data-loss" in second.text()
    policy.write_text(
        shorter.replace("{name: small}", '{name: small, annotations: {nodetide.io/allow-data-loss: "true"}}')
    )
    run("--policy", str(policy)).wait_until_running()
