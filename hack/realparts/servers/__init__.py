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
from .fleet import fake_node, kwok
from .influx import InfluxServer, influxd
from .program import PartMissing, program
from .prom import HttpServer, alertmanager, prometheus
from .server import Server, StartFailed

__all__ = [
    "CallFailed",
    "ControlPlane",
    "HttpServer",
    "InfluxServer",
    "KubectlFailed",
    "PartMissing",
    "Server",
    "StartFailed",
    "alertmanager",
    "control_plane",
    "fake_node",
    "influxd",
    "kwok",
    "program",
    "prometheus",
]
