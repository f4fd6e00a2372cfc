"""Collectors lose nothing while their token is replaced, again and again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.operator.kube import SETTINGS
from tests.integration.operator.site import Site, eventually, spec
from tests.integration.standalone.process import Nodetide

pytestmark = pytest.mark.peer

COLLECTION = {"interval": "1s", "groups": {"mem": {}, "collector": {}}}
TIERS = {"raw": "24h"}


class Node:
    """What the kubelet and the DaemonSet do: files of a Secret and a ConfigMap, and a collector that reads them."""

    def __init__(self, site: Site, folder: Path) -> None:
        self._site = site
        self._folder = folder
        self.token_file, self.settings = folder / "token", folder / "settings"
        self.settings.mkdir(parents=True)
        self.sync()
        environment = {
            "INFLUXDB_URL": site.org.server.url, "INFLUXDB_ORG": site.org.name,
            "INFLUXDB_TOKEN_FILE": str(self.token_file), "NODETIDE_NODE_SETTINGS": str(self.settings),
            "NODETIDE_SPOOL_DIR": str(folder / "spool"), "NODETIDE_FLUSH_INTERVAL": "1s", "NODETIDE_HOST_NAME": "n1",
        }  # fmt: skip
        (folder / "log.txt").touch()
        self.collector = Nodetide(["collect"], folder, environment)

    def sync(self) -> None:
        """Late, as it is there."""
        site = self._site
        token = site.kube.token(site.namespace, "collector")
        found = site.kube.find(f"/api/v1/namespaces/{site.namespace}/configmaps/{SETTINGS}")
        assert token is not None
        for file, text in ((self.token_file, token), (self.settings / "settings.json", found["data"]["settings.json"])):
            draft = file.with_name(f".{file.name}")
            draft.write_text(text)
            draft.replace(file)

    def goes_on(self, bucket: str = "p") -> None:
        """Wait for some more points."""
        seen = len(self.since(bucket))
        eventually(lambda: len(self.since(bucket)) >= seen + 2, self.collector.text)

    def since(self, bucket: str) -> list[int]:
        """The seconds of which there are points."""
        return [row["time"] for row in self._site.org.query(bucket, "SELECT used FROM mem")]


@pytest.fixture
def node(site: Site, tmp_path: Path) -> Iterator[Node]:
    site.start()
    site.apply("p", spec(TIERS, collection=COLLECTION))
    site.ready("p")
    made = Node(site, tmp_path / "node")
    yield made
    made.collector.end()


@pytest.mark.slow
def test_no_second_is_missing_however_often_the_token_changes(site: Site, node: Node) -> None:
    node.goes_on()
    tokens = {site.kube.token(site.namespace, "collector")}
    for name in ("q", "r"):
        site.apply(name, spec(TIERS, collection=COLLECTION))
        site.ready(name)
        tokens.add(site.kube.token(site.namespace, "collector"))
        # The one before is in use for as long as the Secret takes to come.
        node.goes_on()
        node.sync()
        node.goes_on(name)
    site.delete("q")
    eventually(lambda: site.kube.token(site.namespace, "collector") not in tokens, site.log)
    node.sync()
    node.goes_on()
    assert len(tokens) == 3
    times = node.since("p")
    missing = set(range(times[0], times[-1] + 1)) - set(times)
    # What a busy machine had the collector miss, it says itself.
    (missed,) = site.org.query("p", "SELECT last(ticks_missed) FROM collector WHERE \"group\" = 'all'")
    assert len(missing) <= missed["last"], node.collector.text()
    assert "401" not in node.collector.text() and "unauthorized" not in node.collector.text()
    (dropped,) = site.org.query("p", "SELECT last(points_dropped) FROM collector WHERE \"group\" = 'all'")
    assert dropped["last"] == 0
    assert times[-1] > time.time() - 120


def test_the_status_counts_nodes_that_run_the_policy_as_it_is(site: Site, node: Node) -> None:
    for name in ("n1", "n2"):
        site.kube.node(name, site=site.namespace)
    site.apply("p", spec(TIERS, collection=COLLECTION, nodeSelector={"matchLabels": {"site": site.namespace}}))
    node.goes_on()
    # One more policy has it look at once.
    site.apply("q", spec(TIERS))

    def counted() -> bool:
        found = site.policy("p")["status"].get("nodes", {})
        return (found.get("matched"), found.get("applied"), found.get("stale")) == (2, 1, 1)

    eventually(counted, site.log)
