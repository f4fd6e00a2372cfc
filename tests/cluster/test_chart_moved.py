"""The bundled InfluxDB is moved to one outside of the cluster, word for word as docs/kubernetes.md has it, while every
second of the node is collected. Each test goes on where the one before ended."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers import RealNode, influxd, program
from servers.client import Client
from servers.ports import free
from tests.cluster.release import CHART, NAME, Release, condition, eventually
from tests.cluster.seconds import Away, holes, sampled
from tests.cluster.test_chart_life import BUCKET, ORG, SPEC, Life, instant, token
from tests.integration.operator.org import Org

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(1200)]

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "kubernetes.md"
SECTION = "### Moving to another InfluxDB\n"
#: What the document calls the new one, and its organization.
THEIRS, ACME = "https://influxdb.example.com", "acme"
PARTS = ("collector", "api")
#: Of the first tier, and the time after its end by which a window is made, in seconds.
WINDOW, MADE = 5, 20
TIER = f"{BUCKET}-{WINDOW}s"
TIERS = [{"name": "raw", "retention": "24h"}, {"name": f"{WINDOW}s", "window": f"{WINDOW}s", "retention": "24h"}]
VALUES = (
    f"--set-json=defaultPolicy.spec={json.dumps({**SPEC, 'storage': {'tiers': TIERS}})}",
    "--set=collector.flushInterval=1s,operator.resync=5s",
)
_WINDOWS = """\
from(bucket: "{bucket}") |> range(start: {start}, stop: {stop})
  |> filter(fn: (r) => r._measurement == "mem" and r._field == "{field}") {reduced}
  |> map(fn: (r) => ({{start: uint(v: r._time) / uint(v: 1000000000), value: float(v: r._value)}}))
"""
REDUCED = f'|> aggregateWindow(every: {WINDOW}s, fn: {{fn}}, createEmpty: false, timeSrc: "_start")'


class Move(Life):
    """The release, and the InfluxDB outside of the cluster that it moves to."""

    def __init__(self, release: Release, new: Org, folder: Path) -> None:
        super().__init__(release, CHART)
        self.new = new
        self.moved = False
        self._folder = folder
        (folder / "charts").symlink_to(CHART.parent)
        (folder / "token").write_text(new.token)

    @property
    def influx(self) -> Client:
        if not self.moved:
            return super().influx
        return Client(self.new.server.url, {"Authorization": f"Token {self.new.server.token}"}, timeout=60)

    @property
    def org(self) -> str:
        return self.new.name if self.moved else ORG

    def seconds(self, stop: int) -> Any:
        return sampled(
            self.influx, org=self.org, bucket=BUCKET, host=self.release.node.name, start=self.began, stop=stop
        )

    def run(self, commands: str) -> None:
        """The document's, but for the address of the new one, and a port that is free here."""
        (port,) = free(1)
        here = {THEIRS: self.new.server.url, "influxdb 8086": f"influxdb {port}:8086", ":8086/": f":{port}/"}
        for theirs, ours in here.items():
            commands = commands.replace(theirs, ours)
        path = ":".join(str(program(name).parent) for name in ("helm", "kubectl"))
        env = {
            **os.environ,
            "PATH": f"{path}:{os.environ['PATH']}",
            "KUBECONFIG": str(self.release.node.plane.kubeconfig),
        }
        log = self._folder / "log"
        argv = ["bash", "-euo", "pipefail", "-c", commands]
        with (
            log.open("w") as out,
            subprocess.Popen(argv, cwd=self._folder, env=env, stdout=out, stderr=out, start_new_session=True) as bash,
        ):
            try:
                code = bash.wait(600)
            finally:  # with what it has left in the background
                with suppress(ProcessLookupError):
                    os.killpg(bash.pid, signal.SIGKILL)
        assert code == 0, log.read_text()

    def windows(self, bucket: str, field: str, reduced: str = "") -> dict[int, float]:
        """Values by the start of their window, of those that are whole and should be made by now."""
        start = self.began - self.began % WINDOW + WINDOW
        stop = (int(time.time()) - MADE) // WINDOW * WINDOW
        if start >= stop:
            return {}
        query = _WINDOWS.format(bucket=bucket, start=start, stop=stop, field=field, reduced=reduced)
        said = self.influx.call(
            "POST", f"/api/v2/query?org={self.org}", {"query": query}, headers={"Accept": "application/csv"}
        )
        rows = csv.DictReader(line for line in said.splitlines() if line)
        return {int(row["start"]): float(row["value"]) for row in rows if row["start"].isdigit()}

    def fires_anew(self) -> bool:
        """Whether the alert does, by the policy's status and by the API, and since the change. Raises LookupError with
        what they say if it does not."""
        alerts = self.release.api.call("GET", f"/api/v1/alerts?policy={BUCKET}")["alerts"]
        told = self.release.one("metricpolicy", BUCKET)["status"]["alerts"]
        since = [instant(alert["since"]) for alert in alerts if (alert["name"], alert["state"]) == ("Always", "firing")]
        if [alert["firing"] for alert in told] == [1] and len(since) == 1 and since[0] > self.away[0].first:
            return True
        raise LookupError(f"since {self.away[0].first}, {since}: {told}, {alerts}")


def chapters() -> list[str]:
    """The commands, as the document has them: changing over, copying, and ending the old one."""
    _, _, rest = DOCUMENT.read_text().partition(SECTION)
    section = re.split(r"^##+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^```bash\n(.*?)^```", section, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def move(stocked: RealNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Move]:
    release = Release(stocked, tmp_path_factory.mktemp("helm"))
    with influxd(tmp_path_factory.mktemp("influxd"), address=stocked.machine.network.here) as server:
        found = Move(release, Org(server, ACME), tmp_path_factory.mktemp("move"))
        try:
            found.began = int(time.time())
            release.install(*VALUES)
            found.began = min(eventually(lambda: found.seconds(found.began + 600)))
            found.settled()
            yield found
        finally:
            release.remove()


def killed(release: Release, pod: str) -> float:
    """When the kubelet told a pod's container to end. Raises LookupError if it did not."""
    for event in release.get("events", f"--field-selector=reason=Killing,involvedObject.name={pod}"):
        return instant(event["lastTimestamp"])
    raise LookupError(f"{pod} was not told to end")


def begun(release: Release) -> float:
    """When the collector knew its settings, by its log. Raises LookupError while it does not."""
    said = release.kubectl(
        "logs", release.on_the_node("collector"), "--container=collector", "--timestamps"
    ).splitlines()
    told = [line.split()[0] for line in said if " setting NODETIDE_" in line]
    if not told:
        raise LookupError(f"no settings in {said}")
    return instant(f"{told[-1][:19]}Z")


def have_another_token(release: Release, part: str, old: str) -> bool:
    """Whether all pods of a part do; the kubelet is made to look after their volumes now, and not in a minute."""
    pods = [pod["metadata"]["name"] for pod in release.pods(part)]
    release.kubectl("annotate", "pods", *pods, f"touched={time.time()}", "--overwrite")
    read = ("--container", part, "--", "cat", "/run/token/token")
    return all(release.kubectl("exec", pod, *read) != old for pod in pods)


def test_no_second_is_lost(move: Move) -> None:
    # There is something to be moved, of the points and of what was made of them.
    eventually(lambda: move.windows(TIER, "used_percent"))
    release = move.release
    change_over, copy, _ = chapters()
    pod, container = release.on_the_node("collector"), move.container()
    tokens = {part: token(release, part) for part in PARTS}
    move.run(change_over)
    eventually(lambda: move.running_since(container))
    # It reads twice before there are rates.
    move.away.append(
        Away("its pod was replaced", int(killed(release, pod)), int(eventually(lambda: begun(release))) + 4)
    )
    eventually(lambda: all(have_another_token(release, part, old) for part, old in tokens.items()))
    # Copied before it was evaluated here, it would go on as it was.
    eventually(move.fires_anew)
    move.run(copy)
    move.moved = True
    move.nothing_is_lost()
    now = int(time.time())
    found = move.seconds(now)
    assert min(found) == move.began
    print(f"{len(found)} of {now - move.began} s are there, missing: {holes(found, move.began, now)}")


def test_tiers_are_as_if_there_had_been_one_influxdb(move: Move) -> None:
    def same() -> bool:
        pairs = [
            (move.windows(BUCKET, "used_percent", REDUCED.format(fn=fn)), move.windows(TIER, field))
            for fn, field in (("mean", "used_percent"), ("count", "used_percent_count"), ("max", "used_percent_max"))
        ]
        # More of them are made as time goes on.
        return all(len(points) > 5 and tier == pytest.approx(points, rel=1e-12) for points, tier in pairs)

    eventually(same)


def test_the_policy_is_in_effect_and_its_alert_fires_again(move: Move) -> None:
    eventually(lambda: condition(move.release.one("metricpolicy", BUCKET), "Ready") == "True")

    eventually(move.fires_anew)


def test_the_api_has_what_was_before_and_what_is_now(move: Move) -> None:
    api = move.release.api
    (host,) = eventually(lambda: api.call("GET", "/api/v1/metrics/current?metric=mem")["hosts"])
    assert not host["stale"]
    span = range(move.began, move.began + 10)
    query = f"metric=mem.used_percent&start_time={span.start}&end_time={span.stop}&step=1s"
    (series,) = api.call("GET", f"/api/v1/metrics/history?{query}")["series"]
    assert series["t"] == list(span)


def test_grafana_would_ask_the_new_one(move: Move, tmp_path: Path) -> None:
    """Its image is not to be had: so this is what it would be told, and what it would be answered."""
    release = move.release
    (tmp_path / "values").write_text(release.helm("get", "values", NAME, "--output=yaml"))
    rendered = release.helm(
        "template", NAME, str(CHART), f"--values={tmp_path / 'values'}", "--set=grafana.enabled=true"
    )
    (grafana,) = (
        made["spec"]["template"]["spec"]
        for made in yaml.safe_load_all(rendered)
        if (made["kind"], made["metadata"]["name"]) == ("Deployment", "nodetide-grafana")
    )
    told = {entry["name"]: entry.get("value") for entry in grafana["containers"][0]["env"]}
    (secret,) = (volume["secret"]["secretName"] for volume in grafana["volumes"] if volume["name"] == "token")
    asked = Client(told["INFLUXDB_URL"], {"Authorization": f"Token {release.secret(secret, 'token')}"})
    query = f'from(bucket: "{told["INFLUXDB_BUCKET"]}") |> range(start: -10s) |> limit(n: 1)'
    answer = asked.call("POST", f"/api/v2/query?org={told['INFLUXDB_ORG']}", {"query": query})
    assert move.release.node.name in answer


def test_without_the_old_one_it_goes_on(move: Move) -> None:
    release = move.release
    container = move.container()
    move.run(chapters()[2])
    eventually(lambda: not release.pods("influxdb"))
    assert "influxdb" not in release.kubectl("get", "statefulset,service,persistentvolumeclaim", "--output=name")
    move.nothing_is_lost()
    assert move.container() == container, "it is not replaced once more"
