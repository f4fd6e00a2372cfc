"""Telegraf and our collector, at the same time, on this host and on one of files, into the real influxd."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path

import pytest
from servers import InfluxServer, influxd
from servers.process import Process
from tests.integration.influx_compat import host
from tests.integration.influx_compat.judging import Hosts, pair_up
from tests.integration.influx_compat.reading import read, seconds_held, without_others
from tests.integration.influx_compat.running import collector, telegraf, watched
from tests.integration.things import things

from nodetide_core.catalogue import CATALOGUE
from nodetide_core.catalogue.telegraf import TELEGRAF_INPUTS

#: How much of each is compared, and how long that may take on a busy machine.
_SECONDS, _PATIENCE = 13, 300
#: Telegraf ends where a CPU lacks a file, so the host of files shows it.
_LINUX_CPU = '[[inputs.linux_cpu]]\n  metrics = ["cpufreq", "thermal"]\n'
_BUCKETS = ("here-theirs", "here-ours", "files-theirs", "files-ours")


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory, needs_parts: Callable[..., None]) -> Hosts:
    needs_parts("influxd", "telegraf")
    here, files, tree = (tmp_path_factory.mktemp(name) for name in ("here", "files", "tree"))
    host.write(tree)
    with influxd(tmp_path_factory.mktemp("influxd"), options=["--log-level=error"]) as server:
        for name in _BUCKETS:
            server.call("POST", "/api/v2/buckets", {"orgID": server.org_id, "name": name, "retentionRules": []})
        processes = [*_on_this_host(server, here), *_on_files(server, files, tree)]
        there = things()
        with watched(processes):
            _await(server, _SECONDS // 2, processes)
            host.move(tree)
            _await(server, _SECONDS, processes)
        held = [read(server, name) for name in _BUCKETS]
    # What other tests have mounted or connected on this host meanwhile, or taken away, is not compared.
    there &= things()
    return Hosts(pair_up(*(without_others(each, there) for each in held[:2])), pair_up(*held[2:]))


def _on_this_host(server: InfluxServer, folder: Path) -> list[Process]:
    """All groups, with what is excluded by default."""
    everything = 'include: ["*"]'
    widened = {"disk": f"{everything}, excludeFsTypes: []", "diskio": everything, "net": everything}
    groups = {name: widened.get(name, "") for name in CATALOGUE.names}
    assert _LINUX_CPU in TELEGRAF_INPUTS
    inputs = TELEGRAF_INPUTS.replace(_LINUX_CPU, "")
    return [telegraf(server, "here-theirs", folder, inputs), collector(server, "here-ours", folder, groups)]


def _on_files(server: InfluxServer, folder: Path, tree: Path) -> list[Process]:
    """The groups that both read below another root, without what is excluded by default."""
    theirs, ours = host.environment(tree)
    return [
        telegraf(server, "files-theirs", folder, host.inputs(tree), **theirs),
        collector(server, "files-ours", folder, dict.fromkeys(host.GROUPS, ""), **ours),
    ]


def _await(server: InfluxServer, seconds: int, processes: Collection[Process]) -> None:
    """Until every bucket holds so many."""
    deadline = time.monotonic() + _PATIENCE
    while min(seconds_held(server, bucket, "mem") for bucket in _BUCKETS) < seconds:
        logs = "\n".join(f"{process.name}:\n{process.tail()}" for process in processes)
        assert all(process.running for process in processes) and time.monotonic() < deadline, logs
        time.sleep(0.2)
