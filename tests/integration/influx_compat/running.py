"""Telegraf and our collector as processes, each writing to a bucket of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from servers import InfluxServer, program
from servers.process import Process

__all__ = ["collector", "telegraf", "watched"]

_AGENT = """\
[agent]
  interval = "1s"
  flush_interval = "1s"
[[outputs.influxdb_v2]]
  urls = ["{url}"]
  organization = "{org}"
  bucket = "{bucket}"
  token = "$INFLUX_TOKEN"
"""
_POLICY = """\
apiVersion: nodetide.io/v1alpha1
kind: MetricPolicy
metadata: {{name: compat}}
spec:
  collection: {{interval: 1s, groups: {{{groups}}}}}
  storage: {{bucket: {bucket}}}
"""


def telegraf(server: InfluxServer, bucket: str, folder: Path, inputs: str, **env: str) -> Process:
    """Telegraf as it comes, but every second; not started."""
    config = folder / "telegraf.conf"
    config.write_text(_AGENT.format(url=server.url, org=server.org, bucket=bucket) + inputs)
    argv: list[str | Path] = [program("telegraf"), "--config", config]
    return Process("telegraf", argv, log=folder / "telegraf.log", env={"INFLUX_TOKEN": server.token, **env})


def collector(server: InfluxServer, bucket: str, folder: Path, groups: Mapping[str, str], **env: str) -> Process:
    """``nodetide collect`` with groups every second, given with further options as YAML; not started."""
    policy, token = folder / "policy.yaml", folder / "token"
    listed = ", ".join(f"{name}: {{interval: 1s{options and ', ' + options}}}" for name, options in groups.items())
    policy.write_text(_POLICY.format(groups=listed, bucket=bucket))
    token.write_text(server.token)
    settings = {
        "INFLUXDB_URL": server.url,
        "INFLUXDB_ORG": server.org,
        "INFLUXDB_TOKEN_FILE": str(token),
        "NODETIDE_POLICY": str(policy),
        "NODETIDE_SPOOL_DIR": str(folder / "spool"),
        "NODETIDE_FLUSH_INTERVAL": "1s",
    }
    argv = [sys.executable, "-m", "nodetide", "collect"]
    return Process("nodetide", argv, log=folder / "nodetide.log", env={**settings, **env})


@contextmanager
def watched(processes: Iterable[Process]) -> Iterator[None]:
    """Runs them, and ends them in order, which makes them write what they still hold."""
    with ExitStack() as stack:
        for process in processes:
            stack.callback(process.stop)
            process.start()
        yield
        for process in processes:
            assert process.running, f"{process.name} ended by itself:\n{process.tail()}"
