"""The images as the node takes them in, and the collector's at work in one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from servers import RealNode, archive
from servers.recipes import OURS

from nodetide_core import __version__

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1800)]

MOUNTS = {"proc": "/proc", "sys": "/sys", "root": "/"}


def name(part: str) -> str:
    return f"nodetide-{part}:{__version__}"


def test_the_collector_adds_the_least_to_its_base(images: Mapping[str, Path]) -> None:
    added = {part: sum(archive.layers(images[name(part)])[1:]) for part in OURS}
    print({part: f"{size / 1e6:.1f} MB" for part, size in added.items()})
    assert min(added, key=added.__getitem__) == "collector"
    assert 0 < added["collector"] < 15e6


def test_the_node_knows_them_by_the_names_that_pods_use(stocked: RealNode, images: Mapping[str, Path]) -> None:
    known = {full.removeprefix("docker.io/").removeprefix("library/") for full in stocked.images()}
    assert {wanted.removeprefix("docker.io/").removeprefix("library/") for wanted in images} <= known


@pytest.fixture(scope="module")
def sample(stocked: RealNode) -> list[dict[str, Any]]:
    """One pass of the collector in a pod without any rights, as points."""
    mounts = [
        {
            "name": mount,
            "mountPath": f"/host/{mount}",
            "readOnly": True,
            **({"mountPropagation": "HostToContainer"} if mount == "root" else {}),
        }
        for mount in MOUNTS
    ]
    container = {
        "name": "collector",
        "image": name("collector"),
        "imagePullPolicy": "Never",
        "args": ["collect", "--once", "--format", "json"],
        "env": [
            {"name": "NODETIDE_PROC_ROOT", "value": "/host/proc"},
            {"name": "NODETIDE_SYS_ROOT", "value": "/host/sys"},
            {"name": "NODETIDE_ROOT", "value": "/host/root"},
            {"name": "NODETIDE_LOG_LEVEL", "value": "error"},
        ],
        "securityContext": {
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }
    spec = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": mount, "hostPath": {"path": path}} for mount, path in MOUNTS.items()],
    }
    stocked.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "once"}, "spec": spec})
    try:
        stocked.plane.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/once", "--timeout=300s")
        said = stocked.plane.kubectl("logs", "once")
    finally:
        stocked.plane.kubectl("delete", "pod/once")
    return [json.loads(line) for line in said.splitlines()]


def tags(sample: list[dict[str, Any]], measurement: str, tag: str) -> set[str]:
    return {point["tags"][tag] for point in sample if point["measurement"] == measurement}


def test_the_collector_reads_the_node_and_not_its_pod(stocked: RealNode, sample: list[dict[str, Any]]) -> None:
    # What Kubernetes made there is left out.
    assert tags(sample, "net", "interface") - {"all"} == {"eth0"}
    assert {"cni0", "eth0"} <= set(stocked.machine.run("ls", "/sys/class/net").split())
    (root,) = (p for p in sample if p["measurement"] == "disk" and p["tags"]["path"] == "/")
    blocks, size = stocked.machine.run("stat", "--file-system", "--format=%b %S", "/").split()
    assert root["fields"]["total"] == int(blocks) * int(size)
    (processes,) = (p for p in sample if p["measurement"] == "processes")
    assert processes["fields"]["total"] > 5  # in the pod there is one
