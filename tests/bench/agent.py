"""The agent at one sample a second, beside Telegraf with the same groups, in the same minutes."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import Figure
from tests.bench.processes import Usage, running, watch

import realparts

SECONDS, WARM_UP = float(os.environ.get("NODETIDE_BENCH_SECONDS", "60")), 10.0

#: Groups that both have, all at 1 s.
_GROUPS = (
    "cpu", "mem", "swap", "disk", "diskio", "net", "netstat", "system", "kernel", "kernel_vmstat", "pressure",
    "processes", "conntrack", "linux_sysctl_fs", "temp",
)  # fmt: skip

_TELEGRAF = """
[agent]
  interval = "1s"
  flush_interval = "1s"
  omit_hostname = false
  quiet = true
[[outputs.file]]
  files = ["{output}"]
  data_format = "influx"
[[inputs.cpu]]
  percpu = true
  totalcpu = true
  collect_cpu_time = true
  report_active = true
[[inputs.mem]]
[[inputs.swap]]
[[inputs.disk]]
  ignore_fs = ["tmpfs", "devtmpfs", "devfs", "iso9660", "overlay", "aufs", "squashfs"]
[[inputs.diskio]]
[[inputs.net]]
[[inputs.netstat]]
[[inputs.system]]
[[inputs.kernel]]
  collect = ["psi"]
[[inputs.kernel_vmstat]]
[[inputs.processes]]
[[inputs.conntrack]]
[[inputs.linux_sysctl_fs]]
[[inputs.temp]]
"""


def measure() -> Iterator[Figure]:
    telegraf = realparts.get("telegraf")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "telegraf.conf").write_text(_TELEGRAF.format(output=folder / "telegraf.lp"))
        (folder / "policy.json").write_text(json.dumps(_policy()))
        ours = [
            sys.executable, "-m", "nodetide", "collect",
            "--policy", str(folder / "policy.json"), "--output", str(folder / "nodetide.lp"),
        ]  # fmt: skip
        theirs = [str(telegraf), "--config", str(folder / "telegraf.conf")]
        with running(ours) as a, running(theirs) as b:
            mine, peer = _both(a.pid, b.pid)
    yield Figure(
        "agent at 1 s, CPU", "% of a core", mine.cpu_percent, "Telegraf", peer.cpu_percent,
        "at most half", mine.cpu_percent <= peer.cpu_percent / 2,
    )  # fmt: skip
    yield Figure(
        "agent at 1 s, memory",
        "MiB",
        mine.rss_mib,
        "Telegraf",
        peer.rss_mib,
        "at most 30 MB",
        mine.rss_mib <= 30e6 / 2**20,
    )


def _policy() -> dict[str, object]:
    groups = {name: {"interval": "1s"} for name in _GROUPS}
    return {
        "apiVersion": "nodetide.io/v1alpha1",
        "kind": "MetricPolicy",
        "metadata": {"name": "bench"},
        "spec": {"collection": {"interval": "1s", "groups": groups}},
    }


def _both(first: int, second: int) -> tuple[Usage, Usage]:
    """At the same time, so that a slow spell of the machine hits both."""
    found: dict[int, Usage] = {}

    def one(pid: int) -> None:
        found[pid] = watch(pid, SECONDS, WARM_UP)

    threads = [threading.Thread(target=one, args=(pid,)) for pid in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found[first], found[second]
