"""Stands in for the entry point of InfluxDB's official image, which is not to be had: at the first start
it sets InfluxDB up with what DOCKER_INFLUXDB_INIT_* says, on a port that nobody else knows, and then
becomes influxd. As there, by whichever user the container runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

DATA = Path("/var/lib/influxdb2")
_SETUP = "http://127.0.0.1:9999/api/v2/setup"


def main() -> None:
    if sys.argv[1:] != ["influxd"]:
        os.execvp(sys.argv[1], sys.argv[1:])
    if not (DATA / "influxd.bolt").exists():
        set_up()
    os.execvp("influxd", influxd(":8086"))


def influxd(address: str) -> list[str]:
    return [
        "influxd",
        f"--http-bind-address={address}",
        f"--bolt-path={DATA}/influxd.bolt",
        f"--sqlite-path={DATA}/influxd.sqlite",
        f"--engine-path={DATA}/engine",
    ]


def set_up() -> None:
    if os.environ.get("DOCKER_INFLUXDB_INIT_MODE") != "setup":
        raise SystemExit("DOCKER_INFLUXDB_INIT_MODE is not setup")
    body = {
        "username": given("USERNAME"),
        "password": given("PASSWORD"),
        "token": given("ADMIN_TOKEN"),
        "org": given("ORG"),
        "bucket": given("BUCKET"),
        "retentionPeriodSeconds": int(given("RETENTION").removesuffix("h")) * 3600,
    }
    with subprocess.Popen(influxd("127.0.0.1:9999")) as server:
        try:
            post(json.dumps(body).encode(), patience=60)
        finally:
            server.send_signal(signal.SIGINT)


def given(name: str) -> str:
    """As the image takes it: a file, if one is named."""
    file = os.environ.get(f"DOCKER_INFLUXDB_INIT_{name}_FILE")
    return Path(file).read_text() if file else os.environ[f"DOCKER_INFLUXDB_INIT_{name}"]


def post(body: bytes, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(_SETUP, body), timeout=10).close()
            return
        except urllib.error.HTTPError as error:
            raise SystemExit(f"setting up failed: {error.read().decode()}") from None
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


if __name__ == "__main__":
    main()
