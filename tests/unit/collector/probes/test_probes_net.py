"""Interfaces, their speeds, and whose namespace is shown."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from pathlib import Path

from tests.fixtures.hosts import pieces
from tests.fixtures.hosts.shapes import ETH
from tests.fixtures.hosts.tree import Shape, make_host, write_tree

from nodetide_collector.host import OWN_NAMESPACE, Host
from nodetide_collector.probe import Reading, Request
from nodetide_collector.probes._link_speed import LinkSpeeds
from nodetide_collector.probes.net import NetProbe
from nodetide_core.points import tag


def counting(host: Host, opened: Counter[str]) -> Host:
    def open_file(path: str) -> int:
        opened[path] += 1
        return os.open(path, os.O_RDONLY)

    return dataclasses.replace(host, open=open_file)


def interfaces(reading: Reading) -> list[str | None]:
    return [tag(sample.tags, "interface") for sample in reading.samples]


def test_unwanted_interfaces_and_protocols_are_not_looked_at(tmp_path: Path) -> None:
    write_tree(
        tmp_path, {"proc/1/net/dev": pieces.net_dev({"eth0": ETH, "veth1": ETH}), "proc/1/net/snmp": pieces.SNMP}
    )
    write_tree(tmp_path, {f"sys/class/net/{name}/speed": "1000\n" for name in ("eth0", "veth1")})
    opened: Counter[str] = Counter()
    probe = NetProbe(counting(make_host(tmp_path, Shape({})), opened))
    assert interfaces(probe.read(Request(wants=lambda name: name == "eth0"))) == ["eth0"]
    assert {path.removeprefix(f"{tmp_path}/") for path in opened} == {"proc/1/net/dev", "sys/class/net/eth0/speed"}


def test_our_own_namespace_stands_in_only_where_proc_is_our_own(tmp_path: Path) -> None:
    write_tree(tmp_path, {"proc/self/net/dev": pieces.net_dev({"eth9": ETH}), "proc/1/net/none": ""})
    host = make_host(tmp_path, Shape({}, denied=("proc/1/net",)))
    reading = NetProbe(host).read(Request(wants=lambda name: name != "all"))
    assert interfaces(reading) == ["eth9"]
    assert reading.skipped[OWN_NAMESPACE] == 1

    container = dataclasses.replace(host, own_proc=tmp_path / "own")
    reading = NetProbe(container).read(Request(wants=lambda name: name != "all"))
    assert reading.samples == []
    assert dict(reading.skipped) == {"permission denied": 1}


def test_speeds_are_kept_for_a_while_and_renewed_a_few_at_a_time(tmp_path: Path) -> None:
    names = [f"eth{number}" for number in range(40)]
    write_tree(tmp_path, {f"sys/class/net/{name}/speed": "1000\n" for name in names})
    opened: Counter[str] = Counter()
    now = 0.0
    speeds = LinkSpeeds(counting(make_host(tmp_path, Shape({})), opened), clock=lambda: now)

    def one_pass() -> list[int | None]:
        opened.clear()
        speeds.begin_pass()
        return [speeds.get(name, Reading()) for name in names]

    assert one_pass() == [1000] * 40
    assert sum(opened.values()) == 40
    assert one_pass() == [1000] * 40
    assert sum(opened.values()) == 0
    for name in names:
        (tmp_path / f"sys/class/net/{name}/speed").write_text("2500\n")
    now = 31.0
    assert one_pass() == [2500] * 16 + [1000] * 24
    assert sum(opened.values()) == 16
    assert one_pass() == [2500] * 32 + [1000] * 8
    assert one_pass() == [2500] * 40


def test_a_link_that_is_down_has_no_known_speed(tmp_path: Path) -> None:
    write_tree(tmp_path, {"sys/class/net/eth0/speed": ""})
    speeds = LinkSpeeds(make_host(tmp_path, Shape({})))
    speeds.begin_pass()
    reading = Reading()
    assert speeds.get("eth0", reading) == -1
    assert not reading.skipped
    assert speeds.get("eth1", reading) is None
    assert dict(reading.skipped) == {"interface not in /sys/class/net": 1}
