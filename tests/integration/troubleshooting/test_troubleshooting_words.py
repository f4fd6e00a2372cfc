"""What docs/troubleshooting.md says that people see is what they see, where bringing it about takes seconds: each
cause is brought about on the real parts, and what is printed is looked up in the page."""

from __future__ import annotations

import ctypes
import http.server
import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers import InfluxServer, KubectlFailed, influxd, program
from tests.integration.operator.inside import Inside, inside
from tests.integration.operator.kube import Kube
from tests.integration.operator.org import OPERATOR
from tests.integration.operator.rights import Permission, for_namespace, without
from tests.integration.operator.site import Site, eventually, spec
from tests.integration.standalone.process import Nodetide
from tests.integration.troubleshooting.page import row, rows

from nodetide_core.policy import API_VERSION, KIND

pytestmark = pytest.mark.peer

CHART = Path(__file__).resolve().parents[3] / "charts" / "nodetide"
TIERS = {"raw": "24h", "5m": "7d"}
SHORT = {"interval": "1s", "groups": {"mem": {}, "collector": {}}}
NOWHERE = "http://127.0.0.1:9"
ALERT = {"name": "a", "type": "threshold", "metric": "mem.used", "critical": {"above": 1}}

#: Rows that are not shown here, for they need pods or a minute, and where they were.
ELSEWHERE = {
    "`no answer in time`": "by hand, and tests/integration/influx_cli/test_influx_cli_outage.py, without pods",
    "`Temporary failure in name resolution`": "by hand, a policy enforced",
    "the same of collectors or the API alone": "by hand, and the two rows that it leads to, below",
    "NODES is `0/0`": "by hand; tests/cluster/test_chart_fleet.py counts nodes",
    "NODES stays at less": "tests/cluster/test_chart_install.py",
    "data at the API, none in a dashboard": "by hand",
    "no file system at all": "by hand, and tests/unit/collector",
    "some file systems are missing": "tests/integration/test_numbers_node_exporter.py",
    "`mount not visible under the host root`": "by hand, and tests/cluster/test_chart_numbers.py",
    "`CreateContainerError`": "by hand",
    "the host is called as a pod": "by hand",
    "nobody answers": "by hand",
    "pods wait at `Init:0/1`": "tests/cluster/test_chart_install.py",
    "`context deadline exceeded`": "by hand",
    "InfluxDB's pod is `Pending`": "by hand",
    "`updates to statefulset spec": "by hand",
    "`violates PodSecurity`": "tests/cluster/test_chart_rights.py",
    "`ErrImagePull`": "by hand",
    "Grafana says": "not at all; tests/unit/chart/test_chart_scripts.py has the script",
    "`helm uninstall` takes a minute": "tests/cluster/test_chart_life.py",
    "FIRING counts, and nobody is told": "tests/integration/operator/test_operator_alerts.py",
}  # fmt: skip
#: Those that were shown in this run.
shown: set[str] = set()


def shows(words: str, text: str, *without: str) -> None:
    """Whether a text holds what the row with these words says that people see.

    Args:
        without: words of that row that are said of something else.
    """
    found = row(words)
    shown.add(found.sees)
    assert found.missing(text, *without) == [], text


def get(url: str, **headers: str) -> tuple[str, Mapping[str, str]]:
    """Status with text, and headers, whatever the status."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return f"{answer.status} {answer.read().decode()}", answer.headers
    except urllib.error.HTTPError as refusal:
        with refusal:
            return f"{refusal.code} {refusal.read().decode()}", refusal.headers


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Nodetide]]:
    """A command of ours, with an environment, in a folder of its own."""
    started: list[Nodetide] = []

    def begin(*arguments: str, **environment: str) -> Nodetide:
        folder = tmp_path / f"command-{len(started)}"
        folder.mkdir()
        (folder / "log.txt").touch()
        ours = {"NODETIDE_SPOOL_DIR": str(folder / "spool"), "NODETIDE_FLUSH_INTERVAL": "1s"}
        started.append(Nodetide(arguments, folder, {**ours, **environment}))
        return started[-1]

    yield begin
    for one in started:
        one.end(signal.SIGKILL)


@pytest.fixture
def operator(site: Site) -> Iterator[Inside]:
    with inside(site) as running:
        yield running


def told(site: Site, name: str, kind: str = "Ready") -> str:
    """Reason and message of a condition."""
    condition = site.condition(name, kind)
    return f"{condition['reason']}: {condition.get('message', '')}"


def of_influx(site: Site, **changes: str) -> dict[str, str]:
    """The environment for a collector or an API of this site."""
    given = {"INFLUXDB_URL": site.org.server.url, "INFLUXDB_ORG": site.org.name, "INFLUXDB_TOKEN": site.org.token}
    return {**given, **changes}


class TestInfluxdb:
    """cannot be reached"""

    def why(self, site: Site, **environment: str) -> str:
        site.apply("p", spec(TIERS))
        site.start(**environment)
        site.comes_to("p", "Ready", "False InfluxUnreachable")
        return told(site, "p")

    def test_nobody_listens(self, site: Site) -> None:
        shows("Connection refused", self.why(site, INFLUXDB_URL=NOWHERE))

    def test_the_token_is_wrong(self, site: Site) -> None:
        (site.folder / "influxdb-token").write_text("wrong")
        shows("the token is missing, wrong or revoked: check INFLUXDB_TOKEN`, of the operator", self.why(site))

    def test_the_token_lacks_a_right(self, site: Site) -> None:
        allowed = [permission for permission in OPERATOR if permission != "write buckets"]
        (site.folder / "influxdb-token").write_text(site.org.may(*allowed))
        shows("the token does not allow it", self.why(site))

    def test_the_organization_is_not_there(self, site: Site) -> None:
        shows("organization '…' does not exist", self.why(site, INFLUXDB_ORG="nowhere"))

    def test_its_certificate_is_not_known(self, site: Site, tmp_path: Path) -> None:
        with influxd(tmp_path / "tls", tls=True) as server:
            shows("its certificate is not trusted", self.why(site, INFLUXDB_URL=server.url))

    def test_another_server_answers(self, site: Site) -> None:
        with another_server() as url:
            shows("what answers is not InfluxDB", self.why(site, INFLUXDB_URL=url))

    def test_collectors_keep_their_points(self, site: Site, start: Callable[..., Nodetide]) -> None:
        collector = start("collect", **of_influx(site, INFLUXDB_URL=NOWHERE))
        eventually(lambda: "points are kept in the spool" in collector.text(), collector.text)

    def test_a_field_has_another_type_there(self, site: Site, start: Callable[..., Nodetide], influx: InfluxServer):
        bucket = f"clash-{site.namespace}"
        site.org.call("POST", "/api/v2/buckets", {"orgID": site.org.id, "name": bucket, "retentionRules": []})
        site.org.write(bucket, f"mem,host=x used=1.5 {int(time.time())}")
        collector = start("collect", **of_influx(site, INFLUXDB_BUCKET=bucket))
        eventually(lambda: "field type conflict" in collector.text(), collector.text)
        shows("InfluxDB refuses lines", collector.text())


@contextmanager
def hanging(folder: Path) -> Iterator[None]:
    """A file system that nobody answers for: who looks into it waits until it is gone. Skips where none can be."""
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"no file system of one's own: {error}")
    try:
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
        if libc.mount(b"hanging", bytes(folder), b"fuse", 0, options) != 0:
            pytest.skip(f"no file system of one's own: {os.strerror(ctypes.get_errno())}")
        yield
    finally:
        os.close(device)  # which has whoever waits fail
        libc.umount2(bytes(folder), 2)  # MNT_DETACH


@contextmanager
def another_server() -> Iterator[str]:
    """One that answers everything with a page."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"<h1>")

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class TestPolicies:
    """that are refused, or not carried out"""

    def refusal(self, site: Site, made: dict[str, Any], action: str = "apply") -> str:
        document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "p"}, "spec": made}
        with pytest.raises(KubectlFailed) as refused:
            site.kube.plane.kubectl(f"--namespace={site.namespace}", action, "--filename=-", stdin=json.dumps(document))
        return str(refused.value)

    def test_there_is_none(self, site: Site) -> None:
        kubectl = [str(program("kubectl")), f"--kubeconfig={site.kube.plane.kubeconfig}", "get", "metricpolicies"]
        done = subprocess.run([*kubectl, f"--namespace={site.namespace}"], capture_output=True, text=True, check=True)
        shows("No resources found", done.stderr, "get metricpolicies")

    def test_a_field_is_wrong(self, site: Site) -> None:
        shows("is invalid", self.refusal(site, {"collection": {"interval": "soon"}}), "kubectl apply")

    def test_a_field_is_not_known(self, site: Site) -> None:
        shows("strict decoding error", self.refusal(site, {"colection": {}}))

    def test_the_bucket_is_changed(self, site: Site) -> None:
        site.apply("p", spec(TIERS))
        shows("cannot change", self.refusal(site, {"storage": {"bucket": "other"}}))

    def test_nobody_watches_its_namespace(self, site: Site, operator: Inside) -> None:
        site.apply("p", spec(TIERS), site.other)
        operator.turn()
        assert "status" not in site.policy("p", site.other)
        shown.add(row("no READY and no conditions").sees)

    def test_the_apiserver_cannot_tell_that_a_field_is_wrong(self, site: Site, operator: Inside) -> None:
        site.apply("p", spec(TIERS, notify=[{"name": "a", "type": "http", "url": "http://x/\u00a0y"}]))
        operator.turn()
        shows("`Invalid`, of `Accepted`", f"Accepted {told(site, 'p', 'Accepted')}")
        assert "spec.notify[0].url" in told(site, "p")

    def test_an_older_one_has_the_bucket(self, site: Site, operator: Inside) -> None:
        site.apply("older", spec(TIERS, bucket="one"))
        operator.turn()
        site.apply("younger", spec(TIERS, bucket="one"))
        operator.turn()
        shows("BucketTaken", told(site, "younger"))

    def test_no_node_is_selected(self, site: Site, operator: Inside, start: Callable[..., Nodetide], tmp_path: Path):
        site.apply("p", spec(TIERS, nodeSelector={"matchLabels": {"no": "node"}}))
        operator.turn()
        settings = tmp_path / "settings"
        settings.mkdir()
        collector = start("collect", NODETIDE_NODE_SETTINGS=str(settings), NODETIDE_HOST_NAME="n1")
        eventually(lambda: "nothing is collected yet" in collector.text(), collector.text)
        shows("nothing is collected yet", collector.text())
        (settings / "settings.json").write_text(json.dumps(site.kube.settings(site.namespace)))
        eventually(lambda: "policies applied" in collector.text(), collector.text)
        shows("policies applied …policies=", collector.text())
        assert collector.text().rstrip().endswith("policies=")

    def test_data_would_be_lost(self, site: Site, operator: Inside) -> None:
        site.apply("p", spec({"raw": "7d"}))
        operator.turn()
        site.apply("p", spec({"raw": "2d"}))
        operator.turn()
        shows("DataLossNotAllowed", told(site, "p"))
        assert 'nodetide.io/allow-data-loss: "true"' in told(site, "p")


def test_the_operator_may_not_write_tokens(new_site: Callable[..., Site]) -> None:
    taken = Permission("secrets", "create")
    site = new_site(lambda name: without(for_namespace(name), taken))
    site.apply("p", spec(TIERS))
    with inside(site) as operator:
        operator.turn()
    shows("SharedObjectsFailed", told(site, "p"))
    assert 'cannot create resource "secrets"' in told(site, "p")


@pytest.mark.parametrize(("there", "words"), [(False, "there is no such Secret"), (True, 'cannot get resource "secr')])
def test_a_receivers_secret_cannot_be_read(new_site: Callable[..., Site], there: bool, words: str) -> None:
    site = new_site(lambda name: without(for_namespace(name), Permission("secrets", "get")) if there else None)
    receiver = {"name": "team", "type": "slack", "secretRef": {"name": "s", "key": "k"}}
    site.apply("p", spec({"raw": "24h"}, alerts=[{**ALERT, "every": "5s", "window": "10s"}], notify=[receiver]))
    site.start()
    site.comes_to("p", "AlertsReady", "False ReceiversFail")
    shows(words, told(site, "p", "AlertsReady"))


class TestCollector:
    """as a process on its own"""

    def said(self, start: Callable[..., Nodetide], words: str, **environment: str) -> str:
        collector = start("collect", "--output", "/dev/null", **environment)
        eventually(lambda: words in collector.text(), collector.text)
        return collector.text()

    def test_its_token_is_not_there(self, site: Site, start: Callable[..., Nodetide], tmp_path: Path) -> None:
        environment = of_influx(site, INFLUXDB_TOKEN_FILE=str(tmp_path / "token"))
        del environment["INFLUXDB_TOKEN"]
        shows("cannot read the token", self.said(start, "cannot read the token", **environment))

    def test_a_probe_fails(self, start: Callable[..., Nodetide], tmp_path: Path) -> None:
        """By a number that no kernel has, and that nobody has foreseen."""
        limit = tmp_path / "sys/net/netfilter/nf_conntrack_max"
        limit.parent.mkdir(parents=True)
        limit.write_text("9" * 400)
        said = self.said(start, "probe failed", NODETIDE_PROC_ROOT=str(tmp_path))
        shows("probe failed", said)
        assert "group=conntrack error=OverflowError detail='int too large to convert to float'" in said

    def test_a_probe_takes_too_long(self, start: Callable[..., Nodetide], tmp_path: Path) -> None:
        with hanging(tmp_path / "pressure"):
            said = self.said(start, "probe failed", NODETIDE_PROC_ROOT=str(tmp_path))
        shows("probe failed", said)
        assert re.search("group=pressure error=timed out detail='no answer within .* s'", said)

    def test_a_probe_leaves_something_out(self, start: Callable[..., Nodetide], tmp_path: Path) -> None:
        said = self.said(start, "group=mem reason='no such file'", NODETIDE_PROC_ROOT=str(tmp_path))
        shows("probe leaves something out", said)
        assert "group=mem reason='no such file'" in said

    def test_there_are_too_many_series(self, start: Callable[..., Nodetide], tmp_path: Path) -> None:
        file = tmp_path / "policy.yaml"
        made = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "p"}}
        file.write_text(yaml.safe_dump({**made, "spec": {"collection": {"maxSeriesPerNode": 10}}}))
        said = self.said(start, "series left out", NODETIDE_POLICY=str(file))
        shows("series left out, over maxSeriesPerNode", said, "Over Budget")


class TestApi:
    """asked by HTTP"""

    def serving(self, start: Callable[..., Nodetide], **environment: str) -> str:
        return start("serve", "--listen", "127.0.0.1:0", **environment).wait_until_running().url

    def test_it_has_no_token(self, site: Site, start: Callable[..., Nodetide], tmp_path: Path) -> None:
        environment = of_influx(site, INFLUXDB_TOKEN_FILE=str(tmp_path / "token"))
        del environment["INFLUXDB_TOKEN"]
        answer, _ = get(f"{self.serving(start, **environment)}/readiness")
        assert answer.startswith("503")
        shows("the pod is not ready", answer)

    def test_influxdb_is_away(self, site: Site, start: Callable[..., Nodetide]) -> None:
        url = self.serving(start, **of_influx(site, INFLUXDB_URL=NOWHERE))
        answer, headers = get(f"{url}/api/v1/metrics/current")
        assert answer.startswith("503") and int(headers["Retry-After"]) > 0
        shows("Store unavailable", answer, "Retry-After")

    def test_it_wants_a_token(self, site: Site, start: Callable[..., Nodetide]) -> None:
        url = self.serving(start, **of_influx(site, NODETIDE_API_TOKEN="secret"))
        answer, _ = get(f"{url}/api/v1/nodes")
        assert answer.startswith("401")
        shows("send the API's token", answer)
        assert get(f"{url}/api/v1/nodes", Authorization="Bearer secret")[0].startswith("200")

    def test_a_parameter_is_wrong(self, site: Site, start: Callable[..., Nodetide]) -> None:
        answer, _ = get(f"{self.serving(start, **of_influx(site))}/api/v1/metrics/history?metric=cpu&step=soon")
        assert answer.startswith("400")
        shows("Invalid parameter", answer)
        assert '"parameter":"step"' in answer and "allowed: auto" in answer

    def test_samples_do_not_come(self, site: Site, operator: Inside, start: Callable[..., Nodetide]) -> None:
        site.apply("p", spec(TIERS))
        operator.turn()
        site.org.write("p", f"mem,host=n1 used=1i {int(time.time()) - 300}")
        answer, _ = get(f"{self.serving(start, **of_influx(site))}/health")
        assert answer.startswith("200")
        shows("degraded", answer)


class TestHelm:
    """which renders, or asks the apiserver"""

    def refusal(self, folder: Path, *arguments: str, kube: Kube | None = None) -> str:
        homes = {name: str(folder / name) for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
        env = {**os.environ, **homes, "KUBECONFIG": str(kube.plane.kubeconfig) if kube else os.devnull}
        argv = [str(program("helm")), *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env, timeout=300)
        return done.stderr if done.returncode else ""

    @pytest.mark.parametrize(
        ("value", "words"),
        [("collector.rootMount.enabeld=true", "additional properties"), ("influxdb.bundled=false", "influxdb.url is")],
    )
    def test_values_are_refused(self, value: str, words: str, tmp_path: Path, needs_parts: Callable[..., None]) -> None:
        needs_parts("helm")
        shows(words, self.refusal(tmp_path, "template", "nodetide", str(CHART), f"--set={value}"))

    def test_the_definition_is_somebodys(
        self, kube: Kube, site: Site, tmp_path: Path, needs_parts: Callable[..., None]
    ) -> None:
        """And an older one, for which the remedy has to overwrite fields."""
        needs_parts("helm")
        install = ("install", "nodetide", str(CHART), f"--namespace={site.other}", "--dry-run=server")
        said = self.refusal(tmp_path, *install, kube=kube)
        shows("exists and cannot be imported", said)
        assert self.refusal(tmp_path, *install, "--take-ownership", "--force-conflicts", kube=kube) == ""
        assert self.refusal(tmp_path, *install, "--set=crds.enabled=false", kube=kube) == ""

    def test_somebody_has_changed_an_object_by_hand(
        self, kube: Kube, site: Site, tmp_path: Path, needs_parts: Callable[..., None]
    ) -> None:
        needs_parts("helm")
        where = f"--namespace={site.other}"
        without_more = ("--set=crds.enabled=false,defaultPolicy.enabled=false,rbac.create=false", where)
        assert self.refusal(tmp_path, "install", "nodetide", str(CHART), *without_more, kube=kube) == ""
        patch = json.dumps({"spec": {"replicas": 3}})
        kube.plane.kubectl("patch", "deployment", "nodetide-api", where, "--type=merge", f"--patch={patch}")
        upgrade = ("upgrade", "nodetide", str(CHART), *without_more, "--set=api.replicas=2")
        shows("conflict with", self.refusal(tmp_path, *upgrade, kube=kube), "helm upgrade")
        assert self.refusal(tmp_path, *upgrade, "--force-conflicts", kube=kube) == ""


def test_every_row_is_shown_here_or_elsewhere() -> None:
    """Last, for it looks at what the others have shown."""
    elsewhere = {row(words).sees for words in ELSEWHERE}
    if len(shown) < 30:
        pytest.skip("the tests that show the rows were not run")
    assert {found.sees for found in rows()} == shown | elsewhere
    assert shown & elsewhere == set()
