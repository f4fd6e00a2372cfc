"""Day two of one release, one thing after the other, while every second of the node is collected: nothing is lost, and
nobody has to help. Each test goes on where the one before ended."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers import RealNode
from servers.client import Client
from tests.cluster.release import CHART, NAME, Release, condition, eventually, policy, touch
from tests.cluster.seconds import Away, holes, sampled, unexplained

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1800)]

#: How long pods are deleted at random, in seconds.
UNREST = float(os.environ.get("NODETIDE_TEST_UNREST_SECONDS", "45"))
#: Seconds that a collector may take to start on a busy machine, beyond the usual.
_STARTING = 30
ORG, BUCKET = "my-org", "system-metrics"
PARTS = ("collector", "operator", "api", "influxdb")
#: How a pod's end is brought about.
EVICTED, DELETED, KILLED = "evicted", "deleted", "deleted without grace"
SPEC = {
    "collection": {"interval": "1s"},
    "alerts": [
        {
            "name": "Always",
            "type": "threshold",
            "metric": "mem.used_percent",
            "every": "5s",
            "window": "30s",
            "critical": {"above": 0},
        }
    ],
}
VALUES = (
    f"--set-json=defaultPolicy.spec={json.dumps(SPEC)}",
    "--set=collector.spool.hostPath=/var/lib/nodetide-spool,collector.flushInterval=1s,operator.resync=5s",
)


class Life:
    """The release, since when it collects, and when its collector was away."""

    def __init__(self, release: Release, previous: Path) -> None:
        self.release = release
        self.previous = previous
        self.began = 0
        self.away: list[Away] = []

    @property
    def influx(self) -> Client:
        token = self.release.secret("nodetide-influxdb", "token")
        return self.release.reached("influxdb", 8086, Authorization=f"Token {token}")

    def seconds(self, stop: int) -> Any:
        return sampled(self.influx, org=ORG, bucket=BUCKET, host=self.release.node.name, start=self.began, stop=stop)

    def collector(self) -> dict[str, Any]:
        """Its container, as its pod's status has it. Raises LookupError while there is none."""
        found: dict[str, Any] = self.release.pods("collector")[0]["status"]["containerStatuses"][0]
        return found

    def running_since(self, before: str) -> int | None:
        """When a collector began to run that is not the container `before`."""
        container = self.collector()
        if container.get("containerID", before) == before or "running" not in container["state"]:
            return None
        return int(instant(container["state"]["running"]["startedAt"]))

    def container(self) -> str:
        return str(self.collector()["containerID"])

    def was_away(self, why: str, since: float, before: str) -> None:
        """Waits until a collector runs again, and notes that there was none from `since` until its first sample."""
        started = eventually(lambda: self.running_since(before))
        # The kubelet rounds down; then Python starts, and reads twice before there are rates.
        self.away.append(Away(why, int(since), started + 4))

    def settled(self) -> None:
        """Waits until all is as it should be, with nobody's help."""
        for part in ("daemonset/nodetide-collector", "deployment/nodetide-operator", "deployment/nodetide-api"):
            self.release.kubectl("rollout", "status", part, "--timeout=300s")
        self.release.kubectl("rollout", "status", "statefulset/nodetide-influxdb", "--timeout=300s")
        eventually(lambda: condition(self.release.one("metricpolicy", BUCKET), "Ready") == "True")

    def nothing_is_lost(self) -> None:
        """Every second until now is in InfluxDB, or is known to be missing."""
        now = int(time.time())
        eventually(lambda: max(self.seconds(now + 60)) >= now)
        found = self.seconds(now)
        self.away = [_until_its_first_sample(away, holes(found, self.began, now)) for away in self.away]
        assert unexplained(found, self.began, now, self.away) == []
        assert {second.points_dropped for second in found.values()} == {0}


def _until_its_first_sample(away: Away, missing: list[range]) -> Away:
    """The same, with what a collector that starts on a busy machine needs beyond what it usually does."""
    after = [hole.stop - 1 for hole in missing if away.first <= hole.start <= away.last]
    return replace(away, last=min(max([away.last, *after]), away.last + _STARTING))


@pytest.fixture(scope="module")
def life(stocked: RealNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    release = Release(stocked, tmp_path_factory.mktemp("helm"))
    found = Life(release, previous_chart(tmp_path_factory.mktemp("previous")))
    try:
        release.install(*VALUES, chart=found.previous)
        found.settled()
        found.began = int(time.time())
        eventually(lambda: found.seconds(found.began + 600))
        found.began = min(found.seconds(found.began + 600))
        yield found
    finally:
        release.remove()


def previous_chart(folder: Path) -> Path:
    """This chart as one of a version before it, whose definition of a policy knows a field less."""
    chart = Path(shutil.copytree(CHART, folder / "nodetide"))
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump({**about, "version": "0.0.9"}))
    definition = yaml.safe_load((chart / "files" / "crd.yaml").read_text())
    fields(definition).pop("suspend")
    (chart / "files" / "crd.yaml").write_text(yaml.safe_dump(definition))
    return chart


def fields(definition: dict[str, Any]) -> dict[str, Any]:
    """Of a MetricPolicy's spec, in the definition."""
    (version,) = definition["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    return found


def instant(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_upgraded_it_goes_on_and_the_definition_is_upgraded_with_it(life: Life) -> None:
    life.release.apply(policy("own", collection={"interval": "10s"}))
    before = life.container()
    assert "suspend" not in fields(life.release.one("crd", "metricpolicies.nodetide.io"))
    life.release.upgrade()
    assert "suspend" in fields(life.release.one("crd", "metricpolicies.nodetide.io"))
    life.settled()
    life.release.apply(policy("own", collection={"interval": "10s"}, suspend=False))
    eventually(lambda: condition(life.release.one("metricpolicy", "own"), "Ready") == "True")
    assert life.container() == before, "a new version of the chart alone replaces no pod"
    life.nothing_is_lost()


def test_an_alert_that_fires_is_in_the_status_and_the_api(life: Life) -> None:
    def fires() -> bool:
        alerts = life.release.one("metricpolicy", BUCKET)["status"]["alerts"]
        return [(alert["name"], alert["state"], alert["firing"]) for alert in alerts] == [("Always", "firing", 1)]

    eventually(fires)
    (alert,) = eventually(lambda: life.release.api.call("GET", f"/api/v1/alerts?policy={BUCKET}")["alerts"])
    assert (alert["name"], alert["severity"], alert["state"]) == ("Always", "critical", "firing")
    assert alert["tags"]["host"] == life.release.node.name


def test_changed_values_take_effect(life: Life) -> None:
    before, since = life.container(), time.time()
    life.release.upgrade("--set=collector.resources.requests.cpu=21m,api.replicas=2,logLevel=warning")
    life.was_away("its pod's settings were changed", since, before)
    life.settled()
    assert len(life.release.pods("api")) == 2
    life.nothing_is_lost()


def test_rolled_back_it_is_as_before(life: Life) -> None:
    before, since = life.container(), time.time()
    life.release.helm("rollback", NAME, "2")
    life.was_away("its pod's settings were rolled back", since, before)
    life.settled()
    eventually(lambda: len(life.release.pods("api")) == 1)
    assert condition(life.release.one("metricpolicy", "own"), "Ready") == "True"
    life.nothing_is_lost()


def test_tokens_that_are_deleted_are_made_anew_and_reach_the_pods(life: Life) -> None:
    parts = ("collector", "api")
    before = [token(life.release, part) for part in parts]
    life.release.kubectl("delete", "secret", *(f"nodetide-token-{part}" for part in parts))
    for part, old in zip(parts, before, strict=True):
        follows_its_token(life.release, part, old)
    life.nothing_is_lost()


def test_the_operators_own_token_is_replaced(life: Life) -> None:
    """As docs/kubernetes.md says: in InfluxDB, then in the Secret."""
    influx = life.influx
    (old,) = (
        found
        for found in influx.call("GET", "/api/v2/authorizations")["authorizations"]
        if found["token"] == life.release.secret("nodetide-influxdb", "token")
    )
    wanted = {"orgID": old["orgID"], "description": "new", "permissions": old["permissions"]}
    new = influx.call("POST", "/api/v2/authorizations", wanted)["token"]
    life.release.kubectl("patch", "secret", "nodetide-influxdb", "--patch", json.dumps({"stringData": {"token": new}}))
    eventually(lambda: mounted(life.release, "operator", "/run/influxdb/token") == new)
    life.influx.call("DELETE", f"/api/v2/authorizations/{old['id']}")
    life.release.kubectl("delete", "metricpolicy", "own")
    life.release.apply(policy("own", collection={"interval": "10s"}, storage={"bucket": "another"}))
    eventually(lambda: condition(life.release.one("metricpolicy", "own"), "Ready") == "True")
    life.release.upgrade()
    assert life.release.secret("nodetide-influxdb", "token") == new, "an upgrade keeps it"
    life.settled()
    life.nothing_is_lost()


def token(release: Release, part: str) -> str:
    return release.secret(f"nodetide-token-{part}", "token")


def follows_its_token(release: Release, part: str, old: str) -> None:
    """Waits until a part has a token that is not `old`."""
    eventually(lambda: token(release, part))
    new = token(release, part)
    assert new != old
    eventually(lambda: mounted(release, part, "/run/token/token") == new)


def mounted(release: Release, component: str, path: str) -> str:
    """What a file says in a part's pod."""
    return release.kubectl("exec", touch(release, component), "--container", component, "--", "cat", path)


@pytest.mark.parametrize("program", ["kubelet", "containerd"])
def test_what_runs_pods_is_killed_and_comes_back(life: Life, program: str) -> None:
    before = life.container()
    server = getattr(life.release.node, program)
    server.kill()
    time.sleep(5)  # of data that it must not be missed in
    server.start()
    life.settled()
    assert life.container() == before
    life.nothing_is_lost()


def test_the_node_is_rebooted(life: Life) -> None:
    before, since = life.container(), time.time()
    life.release.node.reboot()
    life.was_away("the node was rebooted", since - 1, before)
    life.settled()
    life.nothing_is_lost()


def test_its_node_is_drained_and_comes_back(life: Life) -> None:
    """The only one there is, so that its pods have nowhere to go; the collector's stays, and is evicted by hand."""
    release, node = life.release, life.release.node.name
    release.kubectl("cordon", node)
    before, since = life.container(), time.time()
    for part in ("influxdb", "collector"):
        release.evict(release.on_the_node(part))
    life.was_away("its pod was evicted", since, before)
    # With InfluxDB gone it is not ready, and must not have the drain wait for that.
    eventually(lambda: [condition(pod, "Ready") for pod in release.pods("api")] == ["False"])
    release.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s")
    wait = {part: "Running" if part == "collector" else "Pending" for part in PARTS}
    eventually(lambda: {part: pod["status"]["phase"] for part in PARTS for pod in release.pods(part)} == wait)
    release.kubectl("uncordon", node)
    life.settled()
    life.nothing_is_lost()


def test_pods_are_deleted_at_random(life: Life) -> None:
    chosen = random.Random(7)
    ends = time.monotonic() + UNREST
    deleted: list[str] = []
    while time.monotonic() < ends:
        component = PARTS[len(deleted)] if len(deleted) < len(PARTS) else chosen.choice(PARTS)
        how = chosen.choice([EVICTED, DELETED, KILLED])
        pods = life.release.pods(component)
        if pods:
            since, name = time.time(), pods[0]["metadata"]["name"]
            before = life.container() if component == "collector" else ""
            if how == EVICTED:
                life.release.evict(name)
            else:
                grace = ["--force", "--grace-period=0"] if how == KILLED else []
                life.release.kubectl("delete", "pod", name, "--wait=false", *grace)
            deleted.append(f"{component} {how}")
            if before:
                # Without grace, it takes along what it has sampled and not yet put into its spool.
                life.was_away(f"its pod was {how}", since - (how == KILLED), before)
        time.sleep(chosen.uniform(0, 6))
    print(", ".join(deleted))
    life.settled()
    life.nothing_is_lost()


def test_all_that_is_missing_is_from_when_no_collector_ran(life: Life) -> None:
    now = int(time.time())
    found = life.seconds(now)
    missing = set(range(life.began, now)) - set(found)
    for away in life.away:
        seconds = sorted(missing & set(range(away.first, away.last + 1)))
        print(f"{len(seconds)} s, while {away.why}")
        missing -= set(seconds)
    print(f"{len(found)} of {now - life.began} s are there; {len(missing)} s were not sampled, and counted")
    assert not life.release.get("events", "--field-selector=reason=BackOff")


def test_uninstalled_it_leaves_what_it_promises_and_a_later_one_goes_on_with_it(life: Life) -> None:
    release = life.release
    release.helm("uninstall", NAME, "--wait")
    kinds = release.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
    of_the_cluster = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
    transient = ("event/", "event.events.k8s.io/", "podmetrics")

    def left() -> set[str]:
        found = release.kubectl("get", ",".join(kinds), "--output=name", "--ignore-not-found").split()
        return {name for name in found if not name.startswith(transient)} - of_the_cluster

    promised = {
        "metricpolicy.nodetide.io/own",
        "persistentvolumeclaim/data-nodetide-influxdb-0",
        "secret/nodetide-influxdb",
    }
    eventually(lambda: left() == promised or left() - promised == set())
    assert left() == promised
    for kind in ("clusterrole", "clusterrolebinding"):
        assert "nodetide" not in release.kubectl("get", kind, "--output=name")
    release.install(*VALUES)
    life.settled()
    assert life.began in life.seconds(life.began + 10)
