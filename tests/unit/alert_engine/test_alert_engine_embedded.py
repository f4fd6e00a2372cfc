"""The evaluator over the embedded store, second by second, with points as a collector writes them."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from tests.contracts.store_contract import Clock, memory_directory

from nodetide_core.alerts.evaluator import Evaluator
from nodetide_core.points import Point, make_tags
from nodetide_core.stores.embedded import EmbeddedStore

EPOCH = 20_000 * 86_400


class Node:
    """A store and an evaluator that die and come back together.

    Attributes:
        told: seconds past the epoch, alert, severity and new phase of each transition.
    """

    def __init__(self, directory, rules) -> None:
        self.directory, self.rules = directory, rules
        self.clock = Clock(EPOCH)
        self.told = []
        self.start()

    def start(self) -> None:
        self.store = EmbeddedStore.open(self.directory, clock=self.clock, block_seconds=200)
        self.store.ensure([self.rules.stream])
        self.evaluator = Evaluator(self.store, self.store)

    def stop(self) -> None:
        self.evaluator.close()
        self.store.close()

    def run(self, seconds, busy=None, sent=None) -> None:
        """Seconds with this load, and bytes sent each second; none: the collector is silent."""
        for _ in range(seconds):
            self.clock.now += 1
            now = self.clock.now
            report = self.evaluator.turn([self.rules], now)
            self.told += [
                (change.at - EPOCH, change.key.alert, change.key.severity, change.after.phase.value)
                for change in report.transitions
            ]
            if busy is not None:
                cpu = Point("cpu", make_tags({"host": "a", "cpu": "cpu-total"}), {"usage_active": float(busy)}, now)
                net = Point("net", make_tags({"host": "a", "interface": "eth0"}), {"bytes_sent": sent * now}, now)
                self.store.write("p", [cpu, net])
            if now % 600 == 0:
                self.store.rollup(now)


@pytest.fixture
def node(policy):
    rules = policy(
        {
            "name": "Busy",
            "type": "threshold",
            "metric": "cpu.usage_active",
            "every": "10s",
            "window": "20s",
            "critical": {"above": 90, "recover": 50},
            "warning": {"above": 40},
            "for": "30s",
        },
        {
            "name": "Sending",
            "type": "threshold",
            "metric": "net.bytes_sent",
            "every": "30s",
            "window": "1m",
            "info": {"above": 1000},
        },
        {"name": "Silent", "type": "deadman", "metric": "cpu", "every": "30s", "window": "1m"},
    )
    with tempfile.TemporaryDirectory(dir=memory_directory()) as directory:
        made = Node(Path(directory), rules)
        yield made
        made.stop()


def test_a_story(node):
    node.run(60, busy=10, sent=10)
    node.run(60, busy=100, sent=10)
    # Samples from 61 on: the mean of [50, 70) is 59.5, of [60, 80) 95.5.
    assert node.told == [
        (70, "Busy", "warning", "pending"),
        (80, "Busy", "critical", "pending"),
        (100, "Busy", "warning", "firing"),
        (110, "Busy", "critical", "firing"),
    ]
    node.told.clear()
    node.stop()
    node.start()
    records = asyncio.run(node.store.alerts("p"))
    assert sorted((key.severity, record.state.phase.value) for key, record in records.items()) == [
        ("critical", "firing"),
        ("warning", "firing"),
    ]
    node.run(60, busy=45, sent=5_000)
    assert node.told == [(140, "Busy", "critical", "inactive"), (150, "Sending", "info", "firing")]
    node.told.clear()
    node.run(600)
    # The last point is of 180: windows that hold it end with 200 and 240, and five minutes later nothing is held.
    assert node.told == [
        (270, "Silent", "critical", "firing"),
        (500, "Busy", "warning", "inactive"),
        (540, "Sending", "info", "inactive"),
    ]
    node.told.clear()
    node.run(60, busy=5, sent=5_000)
    assert node.told == [(810, "Sending", "info", "firing"), (810, "Silent", "critical", "inactive")]
