"""`nodetide policy plan` and `apply` on a real InfluxDB: what they say is what is so."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from nodetide.exits import Exit

pytestmark = pytest.mark.peer

DAY = 86_400
TIERS = {"raw": "24h", "5m": "7d"}
Run = Callable[..., Any]
Write = Callable[..., Path]


def lines(text: str) -> list[str]:
    return text.splitlines()


def test_the_plan_is_what_apply_does_and_then_there_is_nothing_to_do(org: Any, run: Run) -> None:
    planned = run(org.environment, "policy", "plan")
    assert (planned.returncode, planned.stderr) == (Exit.OK, "")
    assert org.buckets() == {} and org.tasks() == {}, "a plan changes nothing"
    applied = run(org.environment, "policy", "apply")
    assert (applied.returncode, applied.stderr) == (Exit.OK, "")
    assert lines(applied.stdout) == [*lines(planned.stdout), "system-metrics: done"]
    assert org.retentions() == {
        "system-metrics": DAY, "system-metrics-5m": 7 * DAY, "system-metrics-1h": 30 * DAY,
        "system-metrics-1d": 365 * DAY,
    }  # fmt: skip
    assert set(org.tasks()) == {f"nodetide system-metrics-{tier}" for tier in ("5m", "1h", "1d")}
    for command in ("plan", "apply"):
        again = run(org.environment, "policy", command)
        assert (again.returncode, again.stdout, again.stderr) == (Exit.OK, "system-metrics: nothing to do\n", "")


def test_the_bucket_of_the_default_policy_is_a_setting(org: Any, run: Run) -> None:
    assert run(org.environment, "policy", "apply", "--influxdb-bucket", "mine").returncode == Exit.OK
    assert "mine-1d" in org.buckets()


def test_what_was_changed_by_hand_is_shown_and_mended(org: Any, run: Run, policy: Write) -> None:
    path = policy("p", tiers=TIERS)
    run(org.environment, "policy", "apply", path)
    bucket, task = org.buckets()["p-5m"], org.tasks()["nodetide p-5m"]
    rules = [{"type": "expire", "everySeconds": 2 * DAY, "shardGroupDurationSeconds": DAY}]
    org.call("PATCH", f"/api/v2/buckets/{bucket['id']}", {"retentionRules": rules})
    org.call("PATCH", f"/api/v2/tasks/{task['id']}", {"status": "inactive"})
    org.call("PATCH", f"/api/v2/buckets/{org.buckets()['p']['id']}", {"description": "mine now"})
    shown = run(org.environment, "policy", "plan", path)
    assert shown.returncode == Exit.OK
    assert lines(shown.stdout) == [
        "p: change bucket p-5m: keep 2d to keep 7d", "p: change bucket p: description", "p: change task nodetide p-5m",
    ]  # fmt: skip
    assert run(org.environment, "policy", "apply", path).returncode == Exit.OK
    assert run(org.environment, "policy", "plan", path).stdout == "p: nothing to do\n"
    assert org.retentions()["p-5m"] == 7 * DAY
    assert org.tasks()["nodetide p-5m"]["status"] == "active"


def test_what_loses_data_is_told_and_done_only_with_the_annotation(org: Any, run: Run, policy: Write) -> None:
    run(org.environment, "policy", "apply", policy("p", tiers={**TIERS, "1h": "30d"}))
    before = (org.retentions(), set(org.tasks()))
    path = policy("p", tiers={"raw": "12h", "5m": "7d"})
    shown = run(org.environment, "policy", "plan", path)
    assert shown.returncode == Exit.FAILED
    assert "p: delete bucket p-1h with all its points  (LOSES all points of p-1h)" in lines(shown.stdout)
    assert any(line.endswith("(LOSES points of p older than 12h)") for line in lines(shown.stdout))
    assert sum("LOSES" in line for line in lines(shown.stdout)) == 2
    (said,) = lines(shown.stderr)
    assert said.startswith("p: refused") and 'nodetide.io/allow-data-loss: "true"' in said
    refused = run(org.environment, "policy", "apply", path)
    (said,) = lines(refused.stderr)
    assert refused.returncode == Exit.FAILED
    assert "would lose data" in said and 'nodetide.io/allow-data-loss: "true"' in said
    assert (org.retentions(), set(org.tasks())) == before, "refused means that nothing was done"
    path = policy("p", tiers={"raw": "12h", "5m": "7d"}, lose=True)
    allowed = run(org.environment, "policy", "plan", path)
    assert (allowed.returncode, allowed.stdout, allowed.stderr) == (Exit.OK, shown.stdout, "")
    assert run(org.environment, "policy", "apply", path).returncode == Exit.OK
    assert org.retentions() == {"p": DAY // 2, "p-5m": 7 * DAY}
    assert set(org.tasks()) == {"nodetide p-5m"}


def test_one_that_is_refused_is_named_and_does_not_stop_the_others(org: Any, run: Run, policy: Write) -> None:
    run(org.environment, "policy", "apply", policy("first", bucket="taken", tiers=TIERS))
    org.make_bucket("endless")
    before = org.retentions()
    paths = [
        policy("thief", bucket="taken", tiers=TIERS, lose=True), policy("adopter", bucket="endless", tiers=TIERS),
        policy("good", tiers=TIERS),
    ]  # fmt: skip
    for command in ("plan", "apply"):
        outcome = run(org.environment, "policy", command, *paths)
        assert outcome.returncode == Exit.FAILED
        thief, adopter = lines(outcome.stderr)
        assert thief.startswith("thief: refused: the bucket taken belongs to the policy first;")
        assert "allow-data-loss" not in thief, "it would not help"
        assert adopter.startswith("adopter: refused") and "allow-data-loss" in adopter
        assert "good: create bucket good (keep 1d)" in lines(outcome.stdout)
        assert not any(line.startswith("thief") for line in lines(outcome.stdout))
    assert org.retentions() == {**before, "good": DAY, "good-5m": 7 * DAY}


def test_two_files_that_want_one_bucket_are_refused_before_anything_is_done(org: Any, run: Run, policy: Write) -> None:
    paths = [policy("p", bucket="b", tiers=TIERS), policy("q", bucket="b-5m", tiers={"raw": "24h"})]
    for command in ("plan", "apply"):
        outcome = run(org.environment, "policy", command, *paths)
        assert (outcome.returncode, outcome.stdout) == (Exit.FAILED, "")
        assert "the bucket b-5m is asked for 2 times" in outcome.stderr
    assert org.buckets() == {}


def test_a_wrong_policy_is_a_wrong_use(org: Any, run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("kind: MetricPolicy\n")
    for path in (tmp_path / "bad.yaml", tmp_path / "missing.yaml"):
        outcome = run(org.environment, "policy", "plan", path)
        assert outcome.returncode == Exit.USAGE
        assert path.name in outcome.stderr


COMMANDS = [["policy", "plan"], ["policy", "apply"], ["upkeep", "--once"], ["serve", "--listen", "127.0.0.1:0"]]
NEEDED = {"INFLUXDB_URL": "http://127.0.0.1:9", "INFLUXDB_ORG": "o", "INFLUXDB_TOKEN": "t"}


@pytest.mark.parametrize(
    ("command", "missing"),
    # Without a URL, serve reads the embedded store.
    [(" ".join(c), name) for c in COMMANDS for name in NEEDED if (c[0], name) != ("serve", "INFLUXDB_URL")],
)
def test_what_is_missing_is_named(run: Run, command: str, missing: str) -> None:
    outcome = run({name: value for name, value in NEEDED.items() if name != missing}, *command.split())
    assert outcome.returncode == Exit.USAGE
    assert f"error: {missing}: is needed" in outcome.stderr


#: Of what ends by itself.
ENDING = COMMANDS[:3]


@pytest.mark.parametrize("command", ENDING, ids=" ".join)
def test_an_influxdb_that_is_down_is_told_with_its_address(run: Run, command: list[str]) -> None:
    with socket.socket() as bound:  # and not listening
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        outcome = run({**NEEDED, "INFLUXDB_URL": f"http://{address}"}, *command)
    assert outcome.returncode == Exit.FAILED
    assert f"{address}: Connection refused" in outcome.stderr
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("command", ENDING, ids=" ".join)
def test_a_wrong_token_is_told_and_not_shown(org: Any, run: Run, command: list[str]) -> None:
    environment = {"INFLUXDB_URL": org.server.url, "INFLUXDB_ORG": org.name, "INFLUXDB_TOKEN": "hush-hush"}
    outcome = run(environment, *command)
    assert outcome.returncode == Exit.FAILED
    assert "check INFLUXDB_TOKEN" in outcome.stderr
    assert "hush" not in outcome.stdout + outcome.stderr


def test_a_token_that_may_not_do_it_is_told_as_such(org: Any, run: Run) -> None:
    token = org.may("read orgs", "read buckets", "read tasks")
    environment = {"INFLUXDB_URL": org.server.url, "INFLUXDB_ORG": org.name, "INFLUXDB_TOKEN": token}
    assert run(environment, "policy", "plan").returncode == Exit.OK
    outcome = run(environment, "policy", "apply")
    assert outcome.returncode == Exit.FAILED
    assert "create bucket" in outcome.stderr and "the token does not allow it" in outcome.stderr
    assert "wrong or revoked" not in outcome.stderr and token not in outcome.stderr


def test_an_organization_that_is_not_there_is_named(org: Any, run: Run) -> None:
    outcome = run({**org.environment, "INFLUXDB_ORG": "nobody's"}, "policy", "plan")
    assert outcome.returncode == Exit.FAILED
    assert "nobody's" in outcome.stderr and "check INFLUXDB_ORG" in outcome.stderr


def test_the_organization_may_be_given_by_its_id(org: Any, run: Run) -> None:
    assert run({**org.environment, "INFLUXDB_ORG": org.id}, "policy", "apply").returncode == Exit.OK
    assert "system-metrics" in org.buckets()


@pytest.mark.parametrize("command", ENDING, ids=" ".join)
def test_what_answers_and_is_no_influxdb_is_told(run: Run, command: list[str]) -> None:
    with a_web_page() as url:
        outcome = run({**NEEDED, "INFLUXDB_URL": url}, *command)
    assert outcome.returncode == Exit.FAILED
    assert "what answers is not InfluxDB: check INFLUXDB_URL" in outcome.stderr
    assert "Traceback" not in outcome.stderr


@contextmanager
def a_web_page() -> Iterator[str]:
    """Says yes to everything, as a login page before the real thing does."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>please log in</html>")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(60)
