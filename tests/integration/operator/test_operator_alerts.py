"""Alerts from a policy to the person on call: the real operator, influxd and Alertmanager, each of which ends once."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from servers import HttpServer, influxd
from tests.integration.operator.kube import Kube
from tests.integration.operator.org import Org
from tests.integration.operator.paging import Feeder, Pager, on_call
from tests.integration.operator.site import Site, eventually, spec

pytestmark = pytest.mark.peer

TIERS = {"raw": "24h"}
FIRING, RESOLVED = ["firing"], ["firing", "resolved"]
_numbers = itertools.count()


def threshold(name: str, above: float = 50, **more: Any) -> dict[str, Any]:
    """An alert on one host, which is called like the alert."""
    return {
        "name": name, "type": "threshold", "metric": "mem.used_percent", "filter": {"host": name}, "every": "5s",
        "window": "5s", "aggregate": "max", "critical": {"above": above}, **more,
    }  # fmt: skip


ALERTS = [
    threshold("crosses"),
    threshold("briefly", **{"for": "15s"}),
    threshold("lasts", **{"for": "10s"}),
    threshold("hysteresis", critical={"above": 95, "recover": 85}),
    threshold("flaps", keepFiringFor="40s"),
    threshold("flutters", **{"for": "10s"}),
    threshold("gone"),
    threshold("silent"),
    threshold("late"),
    threshold("worsens", critical={"above": 90}, warning={"above": 50}),
    {
        "name": "dead", "type": "deadman", "metric": "mem.used_percent", "filter": {"host": "dead"}, "every": "5s",
        "window": "10s",
    },
]  # fmt: skip
#: What the person must have been told at the end, and nothing else.
EXPECTED = {
    ("crosses", "critical", "crosses"): RESOLVED,
    ("lasts", "critical", "lasts"): RESOLVED,
    ("hysteresis", "critical", "hysteresis"): RESOLVED,
    ("flaps", "critical", "flaps"): RESOLVED,
    ("gone", "critical", "gone"): RESOLVED,
    ("silent", "critical", "silent"): FIRING,
    ("worsens", "warning", "worsens"): RESOLVED,
    ("worsens", "critical", "worsens"): RESOLVED,
    ("dead", "critical", "dead"): RESOLVED,
}
#: When every crossing is, in seconds of the script.
CROSSING = 10


def script(second: int) -> Mapping[str, str]:
    """What the hosts say; from before it begins nobody has crossed anything."""

    def between(start: int, stop: int, inside: float = 100, outside: float = 0) -> float:
        return inside if start <= second < stop else outside

    values: dict[str, float | None] = {
        "crosses": between(CROSSING, 60),
        "briefly": between(CROSSING, 18),
        "lasts": between(CROSSING, 70),
        "hysteresis": between(CROSSING, 25) or between(25, 60, 90) or 80,
        "flaps": between(CROSSING, 60) if second // 10 % 2 else 0,
        "flutters": between(CROSSING, 60) if second // 5 % 2 else 0,
        "gone": between(CROSSING, 10_000),
        "silent": between(CROSSING, 20) if second < 20 else None,
        "late": None if 15 <= second < 25 else 0,
        "worsens": between(CROSSING, 40, 70) or between(40, 60, 95),
        "dead": None if 20 <= second < 50 else 0,
    }
    return {host: f"used_percent={float(value)}" for host, value in values.items() if value is not None}


@pytest.fixture
def alone(kube: Kube, tmp_path: Path) -> Iterator[Site]:
    """With an influxd of its own, which may be killed."""
    with influxd(tmp_path / "influxd", options=["--log-level=error"]) as server:
        name = f"alerts-{next(_numbers)}"
        site = Site(kube, Org(server, name), name, tmp_path)
        yield site
        if not server.running:
            server.start()
        site.close()


@pytest.fixture
def called(tmp_path: Path, needs_parts: Callable[..., None]) -> Iterator[tuple[HttpServer, Pager]]:
    needs_parts("alertmanager")
    with on_call(tmp_path) as both:
        yield both


@pytest.fixture
def nodes(kube: Kube, alone: Site) -> Iterator[list[str]]:
    """Of the hosts of the script."""
    names = sorted({alert["filter"]["host"] for alert in ALERTS})
    for name in names:
        kube.node(name, **{"for": alone.namespace})
    yield names
    for name in names:
        if kube.find(f"/api/v1/nodes/{name}") is not None:
            kube.call("DELETE", f"/api/v1/nodes/{name}")


def selecting(site: Site) -> dict[str, Any]:
    return {"matchLabels": {"for": site.namespace}}


def firing(site: Site) -> Any:
    return site.policy("p")["status"].get("firing")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_person_on_call_is_told_what_happened_once_whatever_ends_meanwhile(
    alone: Site, called: tuple[HttpServer, Pager], nodes: list[str]
) -> None:
    site, (am, pager) = alone, called
    receiver = {"name": "team", "type": "alertmanager", "url": am.url}
    site.start()
    site.apply("p", spec(TIERS, alerts=ALERTS, notify=[receiver], nodeSelector=selecting(site)))
    site.ready("p")
    with Feeder(site.org, "p", int(time.time()) // 5 * 5 + 5, script) as feeder:
        site.comes_to("p", "AlertsReady", "True Evaluated")

        feeder.wait_until(28)
        site.org.server.kill()
        feeder.wait_until(33)
        site.org.server.start()

        feeder.wait_until(44)
        am.stop()
        # Points of a time that is evaluated already.
        lines = [f"mem,host=late used_percent=100 {feeder.start + second}" for second in range(15, 25)]
        site.org.write("p", "\n".join(lines))
        feeder.wait_until(50)
        am.start()

        feeder.wait_until(55)
        site.kube.call("DELETE", "/api/v1/nodes/gone")

        feeder.wait_until(62)
        site.stop(signal.SIGKILL)
        feeder.wait_until(66)
        site.start()

        eventually(lambda: pager.heard() == EXPECTED, lambda: f"{pager.heard()}\n{site.log()}")
        site.comes_to("p", "AlertsReady", "True Evaluated")
        eventually(lambda: firing(site) == 1, site.log)
        # Nothing of that is told, or written, again.
        version = site.policy("p")["metadata"]["resourceVersion"]
        seen = site.metric("nodetide_operator_turns_total", loop="alerts", result="ok")
        eventually(lambda: site.metric("nodetide_operator_turns_total", loop="alerts", result="ok") >= seen + 2)
        assert pager.heard() == EXPECTED
        assert site.policy("p")["metadata"]["resourceVersion"] == version

    (gone,) = (call for call in pager.calls if (call.alert, call.status) == ("gone", "resolved"))
    assert gone.annotations["reason"] == "node is gone"
    assert gone.labels["policy"] == "p" and gone.labels["namespace"] == site.namespace
    for name, delay in (("crosses", 0), ("hysteresis", 0), ("worsens", 0), ("lasts", 10)):
        first = next(call.at for call in pager.calls if call.alert == name)
        print(f"{name}: from crossing to the person {first - feeder.start - CROSSING:.1f} s (for {delay} s, every 5 s)")
    status = {item["name"]: item for item in site.policy("p")["status"]["alerts"]}
    assert {name: item["state"] for name, item in status.items()} == {
        name: "firing" if name == "silent" else "ok" for name in nodes
    }
    (series,) = status["silent"]["series"]
    assert (series["series"], series["severity"]) == ("host=silent", "critical")
    reasons = {item["reason"] for item in site.kube.events(site.namespace)}
    assert {"AlertFiring", "AlertResolved"} <= reasons


QUERY = """from(bucket: "p") |> range(start: -1m) |> filter(fn: (r) => r._measurement == "mem" and r.host == "queried")
  |> filter(fn: (r) => r._field == "used_percent") |> last()"""


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_what_is_broken_is_named_and_its_siblings_work(
    site: Site, called: tuple[HttpServer, Pager], kube: Kube
) -> None:
    am, pager = called
    flux = {"type": "flux", "every": "5s", "critical": {"above": 50}}
    alerts = [
        {**flux, "name": "queried", "flux": QUERY},
        {**flux, "name": "wrong", "flux": 'from(bucket: "p") |> range(start: -1m'},
        {**flux, "name": "elsewhere", "flux": 'from(bucket: "none") |> range(start: -1m)'},
        threshold("healthy", annotations={"summary": '${host} "{{ host }}"\n{{ value }} é'}),
    ]
    notify = [
        {"name": "team", "type": "alertmanager", "url": am.url, "secretRef": {"name": "pager", "key": "token"}},
        {"name": "other", "type": "alertmanager", "url": am.url, "match": {"alertname": "healthy"}},
        {"name": "nobody", "type": "http", "url": am.url, "secretRef": {"name": "pager", "key": "none"},
         "match": {"alertname": "never"}},
    ]  # fmt: skip
    site.start()
    wanted = spec(TIERS, alerts=alerts, notify=notify, nodeSelector=selecting(site))
    site.apply("p", wanted)
    site.ready("p")
    names = ["queried", "healthy"]
    for name in names:
        kube.node(name, **{"for": site.namespace})
    hot = dict.fromkeys(names, "used_percent=100.0")
    try:
        with Feeder(site.org, "p", int(time.time()), lambda _: hot):
            eventually(lambda: pager.heard() == {("healthy", "critical", "healthy"): FIRING}, site.log)
            assert pager.calls[0].annotations["summary"] == '${host} "healthy"\n100 é'
            eventually(lambda: firing(site) == 2, site.log)
            said = site.comes_to("p", "AlertsReady", "False AlertsBroken")["message"]
            assert "wrong: spec.alerts[1].flux: line 1, column 22: expected RPAREN" in said
            assert "elsewhere: " in said and "could not find bucket" in said
            assert f"team: secret pager, key token: there is no such Secret in namespace {site.namespace}" in said
            assert "other: " not in said and "healthy: " not in said and "queried: " not in said

            metadata = {"name": "pager", "namespace": site.namespace}
            kube.make({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": "s3cret!"}})
            # Edited wrong, the alert goes on as it was, and what is mended is no more told of.
            alerts[0] = {**alerts[0], "flux": QUERY + " |>"}
            site.apply("p", {**wanted, "alerts": [alerts[0], alerts[3]]})
            eventually(lambda: ("queried", "critical", "") in told(pager), lambda: f"{pager.heard()} {site.log()}")

            def mended() -> str:
                found = site.condition("p", "AlertsReady")
                assert found["reason"] == "AlertsBroken", found
                assert "team" not in found["message"] and "elsewhere" not in found["message"], found
                return str(found["message"])

            said = eventually(mended, site.log)
            assert "queried: spec.alerts[0].flux: line 2, column" in said
            assert "nobody: secret pager, key none: the Secret has no such key" in said
            assert firing(site) == 2
            assert "s3cret!" not in said + site.log() + str(site.kube.events(site.namespace))
    finally:
        for name in names:
            kube.call("DELETE", f"/api/v1/nodes/{name}")


def told(pager: Pager) -> set[tuple[str, str, str]]:
    """Whatever the host: what a query gives has the tags that it has."""
    return {(alert, severity, "") for alert, severity, _ in pager.heard()}
