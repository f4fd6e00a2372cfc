"""Prometheus and Alertmanager."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import ports
from .client import Client
from .process import Process
from .program import program
from .server import Server

_SILENT_ALERTMANAGER: Mapping[str, Any] = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}


class HttpServer(Server):
    """A server of Prometheus's family."""

    def __init__(self, name: str, argv: Sequence[str | Path], *, folder: Path, port: int) -> None:
        self.port = port
        self.url = f"http://{ports.LOOPBACK}:{port}"
        self.data = folder / name
        self._client = Client(self.url)
        process = Process(name, argv, log=folder / f"{name}.log")
        super().__init__(process, lambda: self._client.call("GET", "/-/ready"))

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call its API. Raises CallFailed."""
        return self._client.call(method, path, body)


@contextmanager
def prometheus(folder: Path, config: Mapping[str, Any] | None = None) -> Iterator[HttpServer]:
    """Run Prometheus with its data, configuration and log in `folder`.

    `config` is what its configuration file holds; by default it scrapes nothing.
    """
    (port,) = ports.free(1)
    argv: list[str | Path] = [
        program("prometheus"),
        f"--config.file={_written(folder / 'prometheus.yml', config or {})}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address={ports.LOOPBACK}:{port}",
    ]
    with _running(HttpServer("prometheus", argv, folder=folder, port=port)) as server:
        yield server


@contextmanager
def alertmanager(
    folder: Path, config: Mapping[str, Any] | None = None, *, options: Sequence[str] = ()
) -> Iterator[HttpServer]:
    """Run Alertmanager with its data, configuration and log in `folder`; `options` are further command-line ones.

    `config` is what its configuration file holds; by default it takes alerts and tells nobody.
    """
    (port,) = ports.free(1)
    argv: list[str | Path] = [
        program("alertmanager"),
        f"--config.file={_written(folder / 'alertmanager.yml', config or _SILENT_ALERTMANAGER)}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={ports.LOOPBACK}:{port}",
        "--cluster.listen-address=",  # no peers, no gossip port
        *options,
    ]
    with _running(HttpServer("alertmanager", argv, folder=folder, port=port)) as server:
        yield server


@contextmanager
def _running(server: HttpServer) -> Iterator[HttpServer]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _written(file: Path, config: Mapping[str, Any]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(config, indent=2))  # which is YAML
    return file
