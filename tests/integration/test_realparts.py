"""The real parts, as the other tests use them: each answers, and comes back with its data; nothing stays behind."""

from __future__ import annotations

import http.server
import json
import os
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from parts import PARTS
from parts.part import Part
from servers import (
    CallFailed,
    ControlPlane,
    InfluxServer,
    KubectlFailed,
    StartFailed,
    alertmanager,
    control_plane,
    fake_node,
    influxd,
    kwok,
    program,
    prometheus,
)

pytestmark = pytest.mark.peer

NeedsParts = Callable[..., None]
VERSION_COMMANDS = {
    "busybox": ["--help"],
    "containerd-shim-runc-v2": ["-v"],
    "docker-compose": ["version"],
    "helm": ["version"],
    "influxd": ["version"],
    "ip": ["-V"],
    "kubectl": ["version", "--client"],
}
NO_PROGRAMS = ("python-base", "cni-plugins", "pause")
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")


def eventually(look: Callable[[], object]) -> Any:
    """What `look` says, once it is true; CallFailed means not yet. The test's time limit ends the wait."""
    while True:
        try:
            if seen := look():
                return seen
        except CallFailed:
            pass
        time.sleep(0.05)


def children() -> Counter[str]:
    """How many of which; their numbers change when a shared one is restarted. But for browsers, which other files of
    the same worker have left open, and which start helpers as they like."""
    found: Counter[str] = Counter()
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            found[child.name()] += 1
    return Counter({name: count for name, count in found.items() if not name.startswith("chrom")})


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = children()
    yield
    eventually(lambda: children() <= before)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory, needs_parts: NeedsParts) -> Iterator[ControlPlane]:
    needs_parts(*CONTROL_PLANE)
    before = children()
    with control_plane(tmp_path_factory.mktemp("cluster")) as running:
        yield running
    eventually(lambda: children() <= before)


@pytest.mark.parametrize("part", [part for part in PARTS if part.name not in NO_PROGRAMS], ids=lambda part: part.name)
def test_it_runs_and_is_the_version_that_is_pinned(part: Part, needs_parts: NeedsParts) -> None:
    needs_parts(part.name)
    argv = [str(program(part.name)), *VERSION_COMMANDS.get(part.name, ["--version"])]
    printed = subprocess.run(argv, capture_output=True, text=True, check=True)
    upstream = re.split(r"\+ds|-", part.version())[0]  # without what Debian adds
    assert re.search(rf"\bv?{re.escape(upstream)}\b", printed.stdout + printed.stderr)


def flux(server: InfluxServer, text: str) -> str:
    answer = server.call("POST", f"/api/v2/query?org={server.org}", {"query": text})
    assert isinstance(answer, str)
    return answer


def write(server: InfluxServer, lines: str) -> None:
    server.call("POST", f"/api/v2/write?org={server.org}&bucket={server.bucket}&precision=s", lines)


def test_influxd(tmp_path: Path, needs_parts: NeedsParts) -> None:
    needs_parts("influxd")
    with influxd(tmp_path) as server:
        everything = f'from(bucket: "{server.bucket}") |> range(start: 0) |> keep(columns: ["_value"])'
        started_as, url = server.pid, server.url
        write(server, "sample value=1 1700000000")
        server.kill()
        with pytest.raises(CallFailed, match="no answer"):
            write(server, "sample value=0 1700000001")
        server.start()
        write(server, "sample value=2 1700000002")
        server.restart()
        assert (server.url, server.pid == started_as) == (url, False)
        assert flux(server, everything).split() == [",result,table,_value", ",_result,0,1", ",_result,0,2"]
        assert str(server.data) in " ".join(psutil.Process(server.pid).cmdline())


def test_influxd_hanging(tmp_path: Path, needs_parts: NeedsParts) -> None:
    needs_parts("influxd")
    with influxd(tmp_path) as server:
        server.pause()
        with pytest.raises(TimeoutError), urllib.request.urlopen(server.url + "/health", timeout=0.3):
            pass
        server.resume()
        write(server, "sample value=1")


def test_influxd_with_tls(tmp_path: Path, needs_parts: NeedsParts) -> None:
    needs_parts("influxd")
    with influxd(tmp_path, tls=True) as server:
        write(server, "sample value=1")  # verified strictly, against server.ca
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(server.url + "/health")


def test_influxd_takes_options_and_says_why_it_does_not_start(tmp_path: Path, needs_parts: NeedsParts) -> None:
    needs_parts("influxd")
    with pytest.raises(StartFailed, match=r"(?s)unknown flag: --no-such-option.*influxd\.log"):
        with influxd(tmp_path, options=["--no-such-option"]):
            pass


class Exposition(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"nodetide_answer 42\n")

    def log_message(self, format: str, *args: object) -> None:
        """Not on the tests' output."""


@pytest.fixture
def exposition() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exposition) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_prometheus(tmp_path: Path, exposition: str, needs_parts: NeedsParts) -> None:
    needs_parts("prometheus", "promtool")
    job = {"job_name": "ours", "scrape_interval": "1s", "scrape_timeout": "1s"}
    with prometheus(tmp_path, {"scrape_configs": [{**job, "static_configs": [{"targets": [exposition]}]}]}) as server:

        def total(expression: str) -> Any:
            found = server.call("GET", f"/api/v1/query?query={expression}")["data"]["result"]
            return found and [value for _, value in (one["value"] for one in found)]

        assert eventually(lambda: total("nodetide_answer")) == ["42"]
        for again in (server.restart, server.kill):
            kept = int(total("count_over_time(nodetide_answer[1h])")[0])
            again()
            if not server.running:
                server.start()
            assert int(total("count_over_time(nodetide_answer[1h])")[0]) >= kept
        query = [str(program("promtool")), "query", "instant", server.url, "nodetide_answer"]
        # Where a scrape takes too long there is no value, until the next one.
        eventually(lambda: "=> 42 @" in subprocess.run(query, capture_output=True, text=True, check=True).stdout)


def test_alertmanager(tmp_path: Path, needs_parts: NeedsParts) -> None:
    needs_parts("alertmanager", "amtool")
    with alertmanager(tmp_path) as server:

        def amtool(*arguments: str) -> str:
            argv = [str(program("amtool")), f"--alertmanager.url={server.url}", *arguments]
            return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

        server.call("POST", "/api/v2/alerts", [{"labels": {"alertname": "HighCPU", "host": "node-1"}}])
        assert [alert["labels"]["host"] for alert in server.call("GET", "/api/v2/alerts")] == ["node-1"]
        assert "HighCPU" in amtool("alert", "query")
        silence = amtool("silence", "add", "--author=me", "--comment=test", "alertname=HighCPU").strip()
        server.restart()
        assert [one["id"] for one in server.call("GET", "/api/v2/silences")] == [silence]


def test_control_plane_keeps_its_objects_through_a_crash_of_all_of_it(plane: ControlPlane) -> None:
    plane.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    url, pids = plane.url, {server.pid for server in plane.servers}
    for server in plane.servers:
        server.kill()
    plane.start()
    assert plane.url == url
    assert pids.isdisjoint(server.pid for server in plane.servers)
    assert plane.call("GET", "/api/v1/namespaces/default/configmaps/kept")["data"] == {"a": "b"}
    assert plane.call("GET", "/version")["gitVersion"] == "v1.36.3"


def test_control_plane_decides_by_rbac(plane: ControlPlane) -> None:
    somebody = f"--kubeconfig={plane.identity('somebody')}"
    with pytest.raises(KubectlFailed, match='User "somebody" cannot list resource "nodes"'):
        plane.kubectl("get", "nodes", somebody)
    plane.kubectl("create", "clusterrolebinding", "somebody", "--clusterrole=view", "--user=somebody")
    plane.kubectl("create", "configmap", "seen")
    # The apiserver learns of a new binding from its own watch, a moment later.
    deadline = time.monotonic() + 120
    while "configmap/seen" not in (seen := _try(plane, "get", "configmaps", "--output=name", somebody)):
        assert time.monotonic() < deadline, seen
        time.sleep(0.2)


def _try(plane: ControlPlane, *arguments: str) -> str:
    try:
        return plane.kubectl(*arguments)
    except KubectlFailed as error:
        return str(error)


def test_kwok_plays_nodes_and_pods(plane: ControlPlane, tmp_path: Path, needs_parts: NeedsParts) -> None:
    needs_parts("kwok")
    with kwok(tmp_path, plane) as server:
        for name in ("node-a", "node-b"):
            plane.call("POST", "/api/v1/nodes", fake_node(name, {"tier": name[-1]}))
        plane.kubectl("wait", "node", "--selector=tier", "--for=condition=Ready", "--timeout=180s")
        plane.kubectl("create", "deployment", "web", "--image=anything", "--replicas=4")
        plane.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
        server.restart()
        plane.kubectl("scale", "deployment/web", "--replicas=6")
        plane.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
        pods = json.loads(plane.kubectl("get", "pods", "--selector=app=web", "--output=json"))["items"]
        assert {pod["spec"]["nodeName"] for pod in pods} == {"node-a", "node-b"}
        plane.kubectl("delete", "deployment,node", "--all")


def test_helm_installs_a_chart(plane: ControlPlane, tmp_path: Path, needs_parts: NeedsParts) -> None:
    needs_parts("helm")
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: chart, version: 0.1.0}")
    (chart / "templates" / "one.yaml").write_text(
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-helm}\ndata: {release: "{{ .Release.Name }}"}\n'
    )

    def helm(*arguments: str) -> str:
        argv = [str(program("helm")), f"--kubeconfig={plane.kubeconfig}", *arguments]
        home = {**os.environ, "HELM_CACHE_HOME": str(tmp_path), "HELM_CONFIG_HOME": str(tmp_path)}
        return subprocess.run(argv, env=home, capture_output=True, text=True, check=True).stdout

    helm("install", "mine", str(chart), "--wait")
    assert plane.call("GET", "/api/v1/namespaces/default/configmaps/from-helm")["data"] == {"release": "mine"}
    assert [release["status"] for release in json.loads(helm("list", "--output=json"))] == ["deployed"]
    helm("uninstall", "mine")
