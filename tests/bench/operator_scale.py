"""The operator with many policies and nodes: the real apiserver, kwok's nodes, the real influxd.

``NODETIDE_BENCH_POLICIES`` and ``NODETIDE_BENCH_NODES`` choose how many (1000 and 2000); everything is
measured with a tenth of the policies first, for the growth.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from servers import ControlPlane, InfluxServer, control_plane, influxd, kwok
from tests.bench.figures import Figure
from tests.bench.processes import cpu_seconds, rss_mib, running

POLICIES = int(os.environ.get("NODETIDE_BENCH_POLICIES", "1000"))
NODES = int(os.environ.get("NODETIDE_BENCH_NODES", "2000"))
#: Seconds that an operator without work is watched for; with a tenth of the policies a minute, at most.
QUIET = float(os.environ.get("NODETIDE_BENCH_QUIET", "120"))
_LIMIT = 900.0
_NAMESPACE = "nodetide"
_CRD = Path(__file__).resolve().parents[2] / "manifests" / "crd.yaml"
_POLICIES = f"/apis/nodetide.io/v1alpha1/namespaces/{_NAMESPACE}/metricpolicies"


@dataclass(frozen=True)
class _Run:
    policies: int
    ready: float
    cpu: float
    influx_requests: float
    kube_requests: float
    rss: float
    edit: float
    label: float
    writes: float
    idle_cpu: float


def measure() -> Iterator[Figure]:
    small, large = _run(max(1, POLICIES // 10)), _run(POLICIES)
    n, growth = f"{POLICIES} policies, {NODES} nodes", f"{small.policies} policies"
    yield Figure(f"operator, {n}: until all are Ready", "s", large.ready, growth, small.ready)
    yield Figure(
        f"operator, {n}: CPU for it, per policy", "ms", large.cpu / POLICIES * 1e3, growth,
        small.cpu / small.policies * 1e3, "no worse than linear", large.cpu / POLICIES <= small.cpu / small.policies,
    )  # fmt: skip
    yield Figure(
        f"operator, {n}: requests to InfluxDB per policy", "", large.influx_requests / POLICIES, growth,
        small.influx_requests / small.policies,
    )  # fmt: skip
    yield Figure(
        f"operator, {n}: requests to the apiserver per policy", "", large.kube_requests / POLICIES, growth,
        small.kube_requests / small.policies,
    )  # fmt: skip
    yield Figure(
        f"operator, {n}: memory at most", "MiB", large.rss, growth, small.rss, "under 200 MiB", large.rss < 200
    )
    yield Figure(
        f"operator, {n}: from an edit to InfluxDB", "s", large.edit, growth, small.edit, "under 3 s", large.edit < 3
    )
    yield Figure(f"operator, {n}: from a node's label to its settings", "s", large.label, growth, small.label)
    yield Figure(
        f"operator, {n}: writes in {QUIET:.0f} s without work", "", large.writes, growth, small.writes, "none",
        large.writes == 0,
    )  # fmt: skip
    yield Figure(f"operator, {n}: CPU without work", "% of a core", large.idle_cpu, growth, small.idle_cpu)


def _run(policies: int) -> _Run:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        influx = stack.enter_context(influxd(folder, options=["--log-level=error"]))
        plane = stack.enter_context(control_plane(folder))
        stack.enter_context(kwok(folder, plane))
        _prepare(plane, policies)
        token = folder / "token"
        token.write_text(influx.token)
        environment = {
            **os.environ, "KUBECONFIG": str(plane.kubeconfig), "INFLUXDB_URL": influx.url, "INFLUXDB_ORG": influx.org,
            "INFLUXDB_TOKEN_FILE": str(token), "NODETIDE_NAMESPACE": _NAMESPACE,
            "NODETIDE_OPERATOR_LISTEN": "127.0.0.1:0",
            "MALLOC_ARENA_MAX": "2",  # as in the image
        }  # fmt: skip
        influx_before, kube_before = _influx_requests(influx), _kube_requests(plane)
        began = time.monotonic()
        command = [sys.executable, "-m", "nodetide", "operate"]
        with running(command, env=environment, cwd=folder) as process:
            memory = _Peak(process.pid)
            _until(lambda: _ready(plane) == policies, every=2.0)
            ready, cpu = time.monotonic() - began, cpu_seconds(process.pid)
            influx_after, kube_after = _influx_requests(influx), _kube_requests(plane)
            edit = _edited(plane, influx, policies)
            label = _labelled(plane)
            time.sleep(30)  # what the edit and the label left to do
            writes, idle = _writes(influx, plane), cpu_seconds(process.pid)
            quiet = QUIET if policies == POLICIES else min(QUIET, 60)
            time.sleep(quiet)
            writes, idle = _writes(influx, plane) - writes, cpu_seconds(process.pid) - idle
            peak = memory.end()
        return _Run(
            policies, ready, cpu, sum(influx_after.values()) - sum(influx_before.values()),
            sum(kube_after.values()) - sum(kube_before.values()), peak, edit, label, writes, 100 * idle / quiet,
        )  # fmt: skip


def _prepare(plane: ControlPlane, policies: int) -> None:
    plane.kubectl("create", "namespace", _NAMESPACE)
    plane.kubectl("apply", "--server-side", "-f", str(_CRD))
    _until(lambda: plane.call("GET", _POLICIES) is not None)
    for number in range(NODES):
        labels = {"zone": f"z{number % 3}", "kubernetes.io/hostname": f"node-{number}"}
        metadata = {"name": f"node-{number}", "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}}
        plane.call("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": metadata})
    for number in range(policies):
        spec = {"collection": {"interval": "10s"}, "nodeSelector": {"matchLabels": {"zone": f"z{number % 3}"}}}
        body = {"apiVersion": "nodetide.io/v1alpha1", "kind": "MetricPolicy", "spec": spec}
        plane.call("POST", _POLICIES, {**body, "metadata": {"name": f"policy-{number}"}})


def _ready(plane: ControlPlane) -> int:
    found = plane.call("GET", _POLICIES)["items"]
    return sum(
        any(c["type"] == "Ready" and c["status"] == "True" for c in item.get("status", {}).get("conditions", ()))
        for item in found
    )


def _edited(plane: ControlPlane, influx: InfluxServer, policies: int) -> float:
    name = f"policy-{policies // 2}"
    tiers = [{"name": "raw", "retention": "48h"}, {"name": "5m", "window": "5m", "retention": "7d"}]
    tiers += [{"name": "1h", "window": "1h", "retention": "30d"}, {"name": "1d", "window": "1d", "retention": "365d"}]
    policy = plane.call("GET", f"{_POLICIES}/{name}")
    policy["spec"]["storage"]["tiers"] = tiers
    began = time.monotonic()
    plane.call("PUT", f"{_POLICIES}/{name}", policy)

    def kept() -> bool:
        bucket = influx.call("GET", f"/api/v2/buckets?name={name}")["buckets"][0]
        return bool(bucket["retentionRules"][0]["everySeconds"] == 48 * 3600)

    _until(kept, every=0.05)
    return time.monotonic() - began


def _labelled(plane: ControlPlane) -> float:
    node = plane.call("GET", "/api/v1/nodes/node-1")
    node["metadata"]["labels"]["zone"] = "nowhere"
    began = time.monotonic()
    plane.call("PUT", "/api/v1/nodes/node-1", node)

    def rendered() -> bool:
        found = plane.call("GET", f"/api/v1/namespaces/{_NAMESPACE}/configmaps/nodetide-node-settings")
        document = json.loads(found["data"]["settings.json"])
        return not any("node-1" in group["nodes"] and group["policies"] for group in document["groups"])

    _until(rendered, every=0.05)
    return time.monotonic() - began


def _until(holds: Callable[[], bool], every: float = 0.5) -> None:
    end = time.monotonic() + _LIMIT
    while True:
        try:
            if holds():
                return
        except Exception as error:  # not there yet
            last = error
        else:
            last = None
        if time.monotonic() > end:
            raise TimeoutError(f"not within {_LIMIT:.0f} s: {last!r}")
        time.sleep(every)


def _influx_requests(influx: InfluxServer) -> dict[str, float]:
    with urllib.request.urlopen(f"{influx.url}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return _counts(text, r"http_api_requests_total\{[^}]*method=\"(\w+)\"[^}]*\} (\S+)")


def _kube_requests(plane: ControlPlane) -> dict[str, float]:
    """By verb. Nothing is counted by client, so of the kinds that hardly anybody but the operator asks for."""
    text = plane.kubectl("get", "--raw", "/metrics")
    kinds = "metricpolicies|configmaps|secrets"
    return _counts(text, rf'apiserver_request_total\{{[^}}]*resource="(?:{kinds})"[^}}]*verb="(\w+)"[^}}]*\}} (\S+)')


def _writes(influx: InfluxServer, plane: ControlPlane) -> float:
    reads = {"GET", "HEAD", "LIST", "WATCH"}
    mine = sum(count for verb, count in _kube_requests(plane).items() if verb not in reads)
    # Queries are posted, too; they are counted apart.
    with urllib.request.urlopen(f"{influx.url}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found = re.findall(r"http_api_requests_total\{([^}]*)\} (\S+)", text)
    changes = sum(
        float(count) for labels, count in found
        if not re.search(r'method="(GET|HEAD)"', labels) and not re.search(r'path="(/query|/api/v2/query)"', labels)
    )  # fmt: skip
    return mine + changes


def _counts(text: str, pattern: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, count in re.findall(pattern, text):
        found[name] = found.get(name, 0.0) + float(count)
    return found


class _Peak:
    """The largest resident memory of a process, looked at twice a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._largest = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> float:
        self._stop.set()
        self._thread.join()
        return self._largest

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            try:
                self._largest = max(self._largest, rss_mib(self._pid))
            except OSError:  # it has ended
                return
