"""What runs beside the parts: scripts in pods, against servers that say what a test wants."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests import waiting

SCRIPTS = Path(__file__).resolve().parents[3] / "charts" / "nodetide" / "files" / "scripts"


class Server:
    """Answers as its ``answers`` say by then: (status, body) by path."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str]] = {}
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                outer.asked.append((path, self.headers.get("Authorization")))
                found = outer.answers.get(self.path) or outer.answers.get(path)  # with its query, or whatever it is
                status, body = found or (404, "nothing")
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a script; it ends with the test."""
    started = []

    def begin(script: str, *arguments: str, **env: str) -> subprocess.Popen[str]:
        argv = [sys.executable, str(SCRIPTS / script), *arguments]
        process = subprocess.Popen(
            argv, env={"PATH": "/usr/bin", **env}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate(timeout=30)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=100)
    return process.returncode, said


def eventually(look: Callable[[], Any]) -> None:
    waiting.eventually(look, patience=60)


def metrics(ready: int = 0, others: int = 0, turns: int = 0) -> tuple[int, str]:
    return 200, (
        f'nodetide_operator_policies{{ready="true"}} {ready}.0\n'
        f'nodetide_operator_policies{{ready="false"}} {others}.0\n'
        f'nodetide_operator_turns_total{{loop="reconcile",result="ok"}} {turns}.0\n'
        'nodetide_operator_turns_total{loop="rollup",result="ok"} 99.0\n'
    )


class TestWait:
    def test_files_that_are_there_are_not_waited_for(self, start: Any, server: Server, tmp_path: Path):
        (tmp_path / "token").write_text("x")
        (tmp_path / "settings.json.gz").write_text("x")
        files = [str(tmp_path / "token"), str(tmp_path / "settings.json*")]
        assert ended(start("wait.py", server.url, "inf", *files)) == (0, "")
        assert not server.asked

    def test_it_ends_when_a_policy_is_in_effect_and_not_before(self, start: Any, server: Server, tmp_path: Path):
        server.answers["/metrics"] = metrics(ready=0, others=1)
        waiting = start("wait.py", f"{server.url}/metrics", "600", str(tmp_path / "token"))
        eventually(lambda: len(server.asked) > 2)
        assert waiting.poll() is None
        server.answers["/metrics"] = metrics(ready=1)
        assert ended(waiting) == (0, "the operator has made them\n")

    def test_its_patience_has_an_end(self, start: Any, tmp_path: Path):
        token = str(tmp_path / "token")
        assert ended(start("wait.py", "http://127.0.0.1:9", "0.3", token)) == (0, f"starting without: {token}\n")

    def test_for_what_is_needed_it_waits_whatever_the_operator_says(self, start: Any, server: Server, tmp_path: Path):
        server.answers["/metrics"] = metrics(ready=1)
        waiting = start("wait.py", f"{server.url}/metrics", "inf", str(tmp_path / "token"))
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1.5)
        (tmp_path / "token").write_text("x")
        assert ended(waiting)[0] == 0


class TestReach:
    def test_it_ends_when_somebody_listens(self, start: Any, server: Server):
        assert ended(start("reach.py", server.url, "600")) == (0, f"{server.url} listens\n")

    def test_its_patience_has_an_end(self, start: Any):
        code, said = ended(start("reach.py", "http://127.0.0.1:9", "0.3"))
        assert (code, said[:42]) == (0, "http://127.0.0.1:9 does not listen yet: [E")


def current(*, stale: bool = False, values: bool = True) -> tuple[int, str]:
    series = [{"values": {"usage_active": 1.0} if values else {}}]
    return 200, json.dumps({"hosts": [{"host": "n1", "stale": stale, "series": series}]})


class TestCheck:
    @pytest.fixture
    def well(self, server: Server) -> Server:
        server.answers = {
            "/readiness": (200, "{}"),
            "/api/v1/policies": (200, '{"policies": [{"name": "system-metrics"}]}'),
            "/api/v1/metrics/current": current(),
            "/operator": (200, "ok"),
            "/grafana": (200, "ok"),
        }
        return server

    def test_it_passes_where_all_is_well(self, start: Any, well: Server):
        code, said = ended(start("check.py", "600", well.url, f"{well.url}/operator", f"{well.url}/grafana"))
        assert code == 0, said
        assert "data of n1" in said

    @pytest.mark.parametrize(
        ("path", "answer", "says"),
        [
            ("/readiness", (503, "no store"), "503 no store"),
            ("/operator", (503, "stalled"), "503 stalled"),
            ("/grafana", (500, ""), "500"),
            ("/api/v1/policies", (200, '{"policies": []}'), "no fresh data of any node"),
            ("/api/v1/metrics/current", current(stale=True), "no fresh data of any node"),
            ("/api/v1/metrics/current", current(values=False), "no fresh data of any node"),
            ("/api/v1/metrics/current", (200, '{"hosts": []}'), "no fresh data of any node"),
            ("/api/v1/metrics/current", (200, "no JSON"), "Expecting value"),
        ],
    )
    def test_it_fails_where_one_part_is_broken(
        self, path: str, answer: tuple[int, str], says: str, start: Any, well: Server
    ):
        well.answers[path] = answer
        code, said = ended(start("check.py", "0.3", well.url, f"{well.url}/operator", f"{well.url}/grafana"))
        assert code == 1
        assert said.count("FAILED") == 1
        assert says in said

    def test_a_policy_that_no_node_follows_does_no_harm(self, start: Any, well: Server):
        well.answers["/api/v1/policies"] = (200, '{"policies": [{"name": "gold"}, {"name": "system-metrics"}]}')
        well.answers["/api/v1/metrics/current?policy=gold&metric=cpu"] = (200, '{"hosts": []}')
        assert ended(start("check.py", "0.3", well.url)) == (
            0,
            f"ok     {well.url}/readiness \nok     {well.url} data of n1\n",
        )

    def test_it_fails_where_nobody_answers(self, start: Any):
        code, said = ended(start("check.py", "0.3", "http://127.0.0.1:9", "http://127.0.0.1:9/operator"))
        assert (code, said.count("FAILED")) == (1, 3)

    def test_it_gives_data_time_to_come(self, start: Any, well: Server):
        well.answers["/api/v1/metrics/current"] = (200, '{"hosts": []}')
        checking = start("check.py", "600", well.url)
        eventually(lambda: [path for path, _ in well.asked].count("/api/v1/metrics/current") > 1)
        well.answers["/api/v1/metrics/current"] = current()
        assert ended(checking)[0] == 0

    def test_the_token_is_for_the_api_alone(self, start: Any, well: Server, server: Server, tmp_path: Path):
        (tmp_path / "token").write_text("secret\n")
        other = Server()
        other.answers["/operator"] = (200, "ok")
        code, said = ended(
            start("check.py", "600", well.url, f"{other.url}/operator", API_TOKEN_FILE=str(tmp_path / "token"))
        )
        other.close()
        assert (code, "secret" in said) == (0, False)
        assert {token for _, token in well.asked} == {"Bearer secret"}
        assert {token for _, token in other.asked} == {None}


class TestReload:
    def test_grafana_is_told_of_each_token_once(self, start: Any, server: Server, tmp_path: Path):
        for folder in ("keys", "token"):
            (tmp_path / folder).mkdir()
        (tmp_path / "keys/password").write_text("pass")
        (tmp_path / "token/token").write_text("one")
        path = "/api/admin/provisioning/datasources/reload"
        running = start("reload.py", "admin", GRAFANA=server.url, KEYS=str(tmp_path), PERIOD="0.1")
        eventually(lambda: len(server.asked) > 2)  # refused as long as Grafana does not take it
        server.answers[path] = (200, "{}")
        eventually(lambda: "read again" in running.stdout.readline())
        told = len(server.asked)
        time.sleep(0.5)
        assert len(server.asked) == told
        (tmp_path / "token/new").write_text("two")
        (tmp_path / "token/new").rename(tmp_path / "token/token")  # at once: half of it would be another token
        eventually(lambda: len(server.asked) == told + 1)
        assert set(server.asked) == {(path, "Basic YWRtaW46cGFzcw==")}
