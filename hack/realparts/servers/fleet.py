"""kwok: nodes and pods that turn Ready and run nothing, by the thousand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import ports
from .client import Client
from .cluster import ControlPlane
from .process import Process
from .program import program
from .server import Server

_ANNOTATION = "kwok.x-k8s.io/node"


def fake_node(name: str, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A Node that kwok plays, to POST to /api/v1/nodes; the real scheduler places pods on it."""
    resources = {"cpu": "32", "memory": "256Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {_ANNOTATION: "fake"},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **(labels or {})},
        },
        "status": {"allocatable": resources, "capacity": resources},
    }


@contextmanager
def kwok(folder: Path, plane: ControlPlane) -> Iterator[Server]:
    """Run kwok on `plane`, for the nodes that `fake_node` describes and the pods placed on them."""
    (port,) = ports.free(1)
    home = folder / "kwok"
    home.mkdir(parents=True)
    argv: list[str | Path] = [
        program("kwok"),
        f"--kubeconfig={plane.kubeconfig}",
        f"--manage-nodes-with-annotation-selector={_ANNOTATION}=fake",
        f"--server-address={ports.LOOPBACK}:{port}",
        f"--node-ip={ports.LOOPBACK}",
    ]
    client = Client(f"http://{ports.LOOPBACK}:{port}")
    # Its own folder in place of the home's, where someone may have put a configuration.
    process = Process("kwok", argv, log=folder / "kwok.log", env={"KWOK_WORKDIR": str(home)})
    server = Server(process, lambda: client.call("GET", "/healthz"))
    try:
        server.start()
        yield server
    finally:
        server.stop()
