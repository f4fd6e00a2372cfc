"""`nodetide collect` writing to the real InfluxDB."""

from __future__ import annotations

import json
import signal
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import influxd
from tests.integration.standalone.process import until

from nodetide.exits import Exit


def count(url: str, token: str, bucket: str) -> int:
    query = urllib.parse.urlencode({"db": bucket, "q": "select count(used) from mem"})
    request = urllib.request.Request(f"{url}/query?{query}", headers={"Authorization": f"Token {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        series = json.loads(answer.read())["results"][0].get("series", [])
    return int(series[0]["values"][0][1]) if series else 0


@pytest.mark.peer
def test_seconds_arrive_and_the_token_stays_out_of_sight(
    start: Callable[..., Any], tmp_path: Path, needs_parts: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    needs_parts("influxd")
    with influxd(tmp_path / "influxd") as server:
        (tmp_path / "token").write_text(server.token)
        monkeypatch.setenv("INFLUXDB_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("INFLUXDB_ORG", server.org)
        one = start(
            "collect", "--influxdb-url", server.url, "--influxdb-bucket", server.bucket,
            "--spool-dir", str(tmp_path / "spool"), "--flush-interval", "1s",
        )  # fmt: skip
        until(lambda: count(server.url, server.token, server.bucket) >= 3, 180, one.text)
        command = Path(f"/proc/{one.process.pid}/cmdline").read_text()
        assert one.end(signal.SIGTERM) == Exit.OK
        assert server.token not in command
        assert server.token not in one.text()
        assert "points_dropped=0" in one.text()


@pytest.mark.parametrize(
    ("missing", "environment"),
    [("INFLUXDB_ORG", {"INFLUXDB_TOKEN": "t"}), ("INFLUXDB_TOKEN", {"INFLUXDB_ORG": "o"})],
)
def test_what_is_missing_is_named(
    missing: str, environment: dict[str, str], start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    one = start("collect", "--influxdb-url", "http://127.0.0.1:9")
    assert one.process.wait(180) == Exit.USAGE
    assert f"error: {missing}: is needed for" in one.text()
