"""InfluxDB, set up with one user, organization and bucket."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import ports
from .certs import Authority, trusting
from .client import Client
from .process import Process
from .program import program
from .server import Server

_USER = "nodetide"
_ORG = "nodetide"
_BUCKET = "first"


class InfluxServer(Server):
    """A running influxd and what a client of it needs."""

    def __init__(
        self,
        folder: Path,
        *,
        options: Sequence[str],
        tls: bool,
        address: str = ports.LOOPBACK,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.data = folder / "influxd"
        """Its data: the metadata files, and the engine's folder."""
        self.data.mkdir(parents=True)
        self.org = _ORG
        self.org_id = ""
        self.bucket = _BUCKET
        """The bucket that setting up asks for; it keeps everything."""
        self.token = secrets.token_urlsafe(32)
        """May do everything."""
        (self.port,) = ports.free(1)
        self.url = f"{'https' if tls else 'http'}://{address}:{self.port}"
        self.ca: Path | None = None
        """The certificate of the authority to trust, if it speaks TLS."""
        argv: list[str | Path] = [
            program("influxd"),
            f"--http-bind-address={address}:{self.port}",
            f"--bolt-path={self.data / 'influxd.bolt'}",
            f"--sqlite-path={self.data / 'influxd.sqlite'}",
            f"--engine-path={self.data / 'engine'}",
            "--reporting-disabled",
            "--pprof-disabled",  # as we deploy it
        ]
        if tls:
            authority = Authority.create(folder / "certs")
            self.ca = authority.certificate
            pair = authority.issue("influxd", hosts=(address, "localhost"))
            argv += [f"--tls-cert={pair.certificate}", f"--tls-key={pair.key}"]
        self._client = Client(self.url, tls=trusting(self.ca) if self.ca else None)
        process = Process(
            "influxd",
            [*argv, *options],
            log=folder / "influxd.log",
            # Else it takes a config.yaml of the working directory's.
            env={"INFLUXD_CONFIG_PATH": str(self.data), **(env or {})},
            polite=signal.SIGINT,  # to SIGTERM it doesn't listen, and dies of it like of SIGKILL
        )
        super().__init__(process, self._probe)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call its API with the token. Raises CallFailed."""
        return self._client.call(method, path, body, headers={"Authorization": f"Token {self.token}"})

    def set_up(self) -> None:
        """Make user, organization, bucket and token on a server without any."""
        wanted = {
            "username": _USER,
            "password": secrets.token_urlsafe(16),
            "org": self.org,
            "bucket": self.bucket,
            "token": self.token,
        }
        self.org_id = self._client.call("POST", "/api/v2/setup", wanted)["org"]["id"]

    def _probe(self) -> None:
        # /health and /ready say yes whatever the engine does; this reads its metadata.
        self._client.call("GET", "/api/v2/setup")
        if self.org_id:
            self.call("GET", f"/api/v2/buckets?name={self.bucket}")


@contextmanager
def influxd(
    folder: Path,
    *,
    options: Sequence[str] = (),
    tls: bool = False,
    address: str = ports.LOOPBACK,
    env: Mapping[str, str] | None = None,
) -> Iterator[InfluxServer]:
    """Run influxd with its data, log and certificates in `folder`; `options` are further command-line ones, and `env`
    further variables of its environment.

    `address` is where it listens; if a real node's pods are to reach it, it can't be loopback.
    """
    server = InfluxServer(folder, options=options, tls=tls, address=address, env=env)
    try:
        server.start()
        server.set_up()
        yield server
    finally:
        server.stop()
