"""Run the real servers on loopback, for tests and benches.

    with influxd(tmp_path) as server:
        server.call("POST", f"/api/v2/write?org={server.org}&bucket={server.bucket}", "m f=1")
        server.kill()
        server.restart()

Each is ready when it is given, as real requests show, listens on loopback only, keeps data and
log in the folder it is given, and ends with the block or, however it ends, with this process.
"""

from __future__ import annotations

from .client import CallFailed
from .cluster import ControlPlane, KubectlFailed, control_plane
from .docker import DockerEngine, DockerFailed, docker_engine
from .fleet import fake_node, kwok
from .images import BuildFailed, ImageBuilder, image_builder
from .influx import InfluxServer, influxd
from .machine import CommandFailed, Machine
from .node import PARTS as PARTS_OF_A_NODE
from .node import RealNode, real_node
from .program import PartMissing, program
from .prom import HttpServer, alertmanager, prometheus
from .server import Server, StartFailed
from .stock import archives as image_archives

__all__ = [
    "PARTS_OF_A_NODE",
    "BuildFailed",
    "CallFailed",
    "CommandFailed",
    "ControlPlane",
    "DockerEngine",
    "DockerFailed",
    "HttpServer",
    "ImageBuilder",
    "InfluxServer",
    "KubectlFailed",
    "Machine",
    "PartMissing",
    "RealNode",
    "Server",
    "StartFailed",
    "alertmanager",
    "control_plane",
    "docker_engine",
    "fake_node",
    "image_archives",
    "image_builder",
    "influxd",
    "kwok",
    "program",
    "prometheus",
    "real_node",
]
