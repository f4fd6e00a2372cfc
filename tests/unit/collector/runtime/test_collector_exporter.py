from __future__ import annotations

import json
import platform
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nodetide_collector.collector import Collector, CollectorConfig
from nodetide_collector.exporter import Exporter
from nodetide_core import __version__
from nodetide_core.points import Point


@pytest.fixture
def exporter(clock: Any) -> Iterator[Exporter]:
    made = Exporter(("127.0.0.1", 0), clock.monotonic)
    yield made
    made.close()


def get(exporter: Exporter, path: str) -> tuple[int, str, str]:
    connection = HTTPConnection(*exporter.address, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()
    finally:
        connection.close()


def values(text: str) -> dict[str, float]:
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}


def mem(value: int) -> list[Point]:
    return [Point("mem", (("host", "n"),), {"total": value}, 1)]


def test_the_newest_values_and_what_built_them(exporter: Exporter) -> None:
    exporter.update("p", "mem", mem(1), 1)
    exporter.update("p", "mem", mem(2), 1)
    status, content_type, text = get(exporter, "/metrics")
    assert status == 200
    assert content_type.startswith("text/plain; version=0.0.4")
    assert values(text) == {"nodetide_build_info": 1.0, "nodetide_mem_total_bytes": 2.0}
    assert f'version="{__version__}"' in text
    assert f'python="{platform.python_version()}"' in text


def test_a_series_that_is_gone_is_gone_with_the_next_pass(exporter: Exporter) -> None:
    exporter.update("p", "mem", mem(1), 1)
    exporter.update("p", "mem", [], 1)
    assert "nodetide_mem" not in get(exporter, "/metrics")[2]


def test_values_of_a_group_that_is_overdue_are_not_shown(exporter: Exporter, clock: Any) -> None:
    exporter.update("p", "mem", mem(1), 10)
    exporter.update("p", "swap", [Point("swap", (), {"total": 1}, 1)], 1)
    clock.advance(3)
    assert {"nodetide_mem_total_bytes", "nodetide_swap_total_bytes"} < values(get(exporter, "/metrics")[2]).keys()
    clock.advance(1)
    assert "nodetide_swap_total_bytes" not in values(get(exporter, "/metrics")[2])
    clock.advance(26)
    assert "nodetide_mem_total_bytes" in values(get(exporter, "/metrics")[2])
    clock.advance(1)
    assert "nodetide_mem_total_bytes" not in values(get(exporter, "/metrics")[2])


def test_two_streams_of_the_same_series_are_one(exporter: Exporter) -> None:
    exporter.update("p", "mem", mem(1), 1)
    exporter.update("q", "mem", mem(1), 1)
    assert get(exporter, "/metrics")[2].count("nodetide_mem_total_bytes{") == 1


def test_health_fails_when_the_last_pass_is_overdue(exporter: Exporter, clock: Any) -> None:
    exporter.passed(5)
    clock.advance(15)
    assert get(exporter, "/healthz")[0] == 200
    clock.advance(1)
    status, _, text = get(exporter, "/healthz")
    assert (status, text) == (503, "the last pass is overdue\n")
    exporter.passed(5)
    assert get(exporter, "/healthz")[0] == 200


def test_anything_else_is_not_found(exporter: Exporter) -> None:
    assert get(exporter, "/")[0] == 404


def test_a_client_that_says_nothing_keeps_nobody_waiting(exporter: Exporter) -> None:
    with socket.create_connection(exporter.address):
        assert get(exporter, "/healthz")[0] == 200


def test_a_port_in_use_is_an_error(exporter: Exporter, clock: Any) -> None:
    with pytest.raises(OSError, match="in use"):
        Exporter(exporter.address, clock.monotonic)


def test_closing_lets_the_port_go(clock: Any) -> None:
    first = Exporter(("127.0.0.1", 0), clock.monotonic)
    first.close()
    Exporter(first.address, clock.monotonic).close()


def test_a_running_collector_feeds_it(clock: Any, probes: Any, recording: Any, make_policy: Any, tmp_path: Any) -> None:
    probes.constant("mem", ({}, {"total": 5}))
    config = CollectorConfig("n1", exporter=("127.0.0.1", 0))
    collector = Collector(config, recording, clock, registrations=probes.registrations)
    seen: list[str] = []
    address = collector.exporter_address
    assert address is not None

    def scrape() -> None:
        connection = HTTPConnection(*address, timeout=60)
        connection.request("GET", "/metrics")
        seen.append(connection.getresponse().read().decode())
        connection.close()

    clock.at(3.5, scrape)
    clock.at(4.5, collector.stop)
    collector.run()
    found = values(seen[0])
    assert found["nodetide_mem_total_bytes"] == 5.0
    assert found["nodetide_collector_info"] == 1.0
    assert 'host="n1"' in seen[0]


def test_a_collector_with_nothing_to_sample_is_healthy(clock: Any, recording: Any, probes: Any, tmp_path: Path) -> None:
    metadata = {"apiVersion": "nodetide.io/v1alpha1", "kind": "MetricPolicy", "metadata": {"name": "p"}}
    (tmp_path / "p.json").write_text(json.dumps({**metadata, "spec": {"suspend": True}}))
    config = CollectorConfig("n1", policies=tmp_path, exporter=("127.0.0.1", 0))
    collector = Collector(config, recording, clock, registrations=probes.registrations)
    address = collector.exporter_address
    assert address is not None
    statuses: list[int] = []

    def ask() -> None:
        connection = HTTPConnection(*address, timeout=60)
        connection.request("GET", "/healthz")
        statuses.append(connection.getresponse().status)
        connection.close()

    clock.at(60.5, ask)
    clock.at(61, collector.stop)
    collector.run()
    assert statuses == [200]


def test_it_listens_on_ipv6_too(clock: Any) -> None:
    try:
        exporter = Exporter(("::1", 0), clock.monotonic)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    try:
        assert get(exporter, "/healthz")[0] == 200
    finally:
        exporter.close()
