"""The services of docker-compose.yml without Docker: the same commands with the same environment, as
plain processes. Volumes are folders, ports free ones."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from servers import InfluxServer
from servers.ports import free
from servers.process import Process
from tests.waiting import eventually

#: Services that run one of our commands, each after those it needs.
OURS = ("upkeep", "collector", "api")
_PATIENCE = 180.0


class Stack:
    """
    Args:
        config: the resolved file.
        folder: where volumes and logs go.
    """

    def __init__(self, config: Mapping[str, Any], folder: Path) -> None:
        self.services: Mapping[str, Any] = config["services"]
        self.folder = folder
        for volume in config["volumes"]:
            (folder / "volumes" / volume).mkdir(parents=True)
        self._ports = dict(zip(("8000", "9101"), map(str, free(2)), strict=True))
        self.influx = InfluxServer(folder, options=[], tls=False)
        self.api = f"http://127.0.0.1:{self._ports['8000']}"
        self.processes: dict[str, Process] = {}

    def volume(self, name: str) -> Path:
        return self.folder / "volumes" / name

    def begin(self, earlier: str = "") -> None:
        """Start all of it in the file's order, each when what it needs is healthy.

        Args:
            earlier: lines that are in the raw bucket when our services start, in seconds.
        """
        self.make_keys()
        self._begin_influxdb()
        if earlier:
            where = f"/api/v2/write?org={self.influx.org}&bucket={self.influx.bucket}&precision=s"
            self.influx.call("POST", where, earlier)
        for service in OURS:
            self._begin(service)
            self.until_healthy(service)

    def end(self) -> None:
        for process in reversed(self.processes.values()):
            process.stop()
        self.influx.stop()

    def make_keys(self) -> str:
        """Run the service `keys`; what it says."""
        keys = self.folder / "keys"
        for mount in self._volumes("keys"):
            place = keys / Path(mount["target"]).relative_to("/keys")
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.is_symlink():
                place.symlink_to(self.volume(mount["source"]))
        (script,) = (m["source"] for m in self.services["keys"]["volumes"] if m["target"] == "/keys.sh")
        shell, _ = self.services["keys"]["entrypoint"]
        environment = {**self.services["keys"]["environment"], "KEYS": str(keys), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [shell, script], env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def until_healthy(self, service: str) -> None:
        """Run the service's own health check until it succeeds."""
        kind, *test = self.services[service]["healthcheck"]["test"]
        argv = ["sh", "-c", *test] if kind == "CMD-SHELL" else test
        argv = [self._with_ports(part.replace("$$", "$")) for part in argv]
        argv[0] = sys.executable if argv[0] == "python" else argv[0]
        deadline = time.monotonic() + _PATIENCE
        while True:
            environment = {**self.environment(service), "PATH": "/usr/bin:/bin"}
            done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=120)
            if done.returncode == 0:
                return
            process = self.processes[service]
            assert process.running, f"{service} ended\n{process.tail()}"
            assert time.monotonic() < deadline, f"{service} does not get healthy: {done.stderr}\n{process.tail()}"
            time.sleep(0.1)

    def environment(self, service: str) -> dict[str, str]:
        """What the file gives the service, with paths, ports and InfluxDB's address as they are here."""
        found = {}
        for name, declared in (self.services[service].get("environment") or {}).items():
            value = declared.replace("http://influxdb:8086", self.influx.url)
            if re.fullmatch(r"[0-9.]+:[0-9]+", value):
                found[name] = self._with_ports(re.sub(r"^[0-9.]+", "127.0.0.1", value))
                continue
            found[name] = str(self.place(service, value)) if value.startswith("/") else value
        return found

    def place(self, service: str, path: str) -> Path:
        """Where a path in the service's container is here."""
        for mount in self.services[service]["volumes"]:
            target = Path(mount["target"])
            if Path(path) == target or target in Path(path).parents:
                source = self.volume(mount["source"]) if mount["type"] == "volume" else Path(mount["source"])
                return source / Path(path).relative_to(target)
        mounts = [
            Path(mount["target"]) for mount in self._volumes(service) if Path(path) in Path(mount["target"]).parents
        ]
        assert mounts, f"{service}: {path} is in no volume"
        # A directory of mounts, such as that of the tokens.
        view = self.folder / "views" / service / path.lstrip("/")
        for target in mounts:
            link = view / target.relative_to(path)
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                (source,) = (m["source"] for m in self._volumes(service) if Path(m["target"]) == target)
                link.symlink_to(self.volume(source))
        return view

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        """What the API answers."""
        request = urllib.request.Request(self.api + path, headers=dict(headers or {}))
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def flux(self, query: str, token: str) -> list[list[str]]:
        """Rows of InfluxDB's answer, without headings. Raises HTTPError."""
        org = self.services["influxdb"]["environment"]["DOCKER_INFLUXDB_INIT_ORG"]
        request = urllib.request.Request(
            f"{self.influx.url}/api/v2/query?org={org}",
            json.dumps({"query": query, "dialect": {"annotations": [], "header": False}}).encode(),
            {"Authorization": f"Token {token}", "Content-Type": "application/json", "Accept": "application/csv"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            lines = answer.read().decode().replace("\r", "").split("\n")
        return [line.split(",") for line in lines if line]

    def _begin_influxdb(self) -> None:
        """As the image does at its first start, with what the file tells it."""
        self.influx.start()
        told = {
            name.removeprefix("DOCKER_INFLUXDB_INIT_"): value
            for name, value in self.services["influxdb"]["environment"].items()
        }
        hours, unit = told["RETENTION"][:-1], told["RETENTION"][-1]
        assert unit == "h"
        self.influx.org, self.influx.bucket = told["ORG"], told["BUCKET"]
        self.influx.token = self.place("influxdb", told["ADMIN_TOKEN_FILE"]).read_text()
        body = {
            "username": told["USERNAME"],
            "password": self.place("influxdb", told["PASSWORD_FILE"]).read_text(),
            "token": self.influx.token,
            "org": told["ORG"],
            "bucket": told["BUCKET"],
            "retentionPeriodSeconds": int(hours) * 3600,
        }
        self.influx.org_id = self.influx.call("POST", "/api/v2/setup", body)["org"]["id"]

    def _begin(self, service: str) -> None:
        told = [f"{name}={value}" for name, value in self.environment(service).items()]
        command = self.services[service]["command"]
        argv: list[str | Path] = ["/usr/bin/env", "-i", "-C", str(self.folder), *told, sys.executable, "-m", "nodetide"]
        log = self.folder / f"{service}.log"
        self.processes[service] = process = Process(service, [*argv, *command], log=log)
        log.write_text(f"$ {shlex.join(map(str, argv))}\n")
        process.start()

    def _volumes(self, service: str) -> list[dict[str, Any]]:
        return [mount for mount in self.services[service]["volumes"] if mount["type"] == "volume"]

    def _with_ports(self, text: str) -> str:
        for declared, here in self._ports.items():
            text = text.replace(f":{declared}", f":{here}")
        return text


@contextmanager
def stack(config: Mapping[str, Any], folder: Path, *, earlier: str = "") -> Iterator[Stack]:
    """The services, running and healthy; ended with the block."""
    running = Stack(config, folder)
    try:
        running.begin(earlier)
        yield running
    finally:
        running.end()


def wait_until(ask: Any, complaint: str, patience: float = _PATIENCE) -> Any:
    """What ``ask`` gives as soon as it is something; what it raises counts as nothing."""
    return eventually(ask, lambda: complaint, patience=patience, not_yet=(OSError, LookupError), every=0.1)
