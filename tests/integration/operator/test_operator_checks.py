"""Alerts that InfluxDB evaluates itself: the real operator keeps checks, endpoints and rules in a real InfluxDB."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.influx_checks.org import KINDS, NEEDED
from tests.integration.operator.org import OPERATOR
from tests.integration.operator.site import Site, eventually, spec

pytestmark = pytest.mark.peer

TIERS = {"raw": "24h"}
HOT = {
    "name": "Hot", "type": "threshold", "metric": "cpu.usage_active", "every": "10s", "window": "10s",
    "critical": {"above": 90},
}  # fmt: skip
TEAM = {"name": "team", "type": "http", "url": "http://127.0.0.1:9/in", "secretRef": {"name": "team", "key": "token"}}
SECRET = "kept-to-itself"


def asking(alerts: list[dict[str, Any]] | None = None, engine: str = "influxdb", **more: Any) -> dict[str, Any]:
    return spec(TIERS, alertEngine=engine, alerts=[HOT] if alerts is None else alerts, notify=[TEAM], **more)


def kept(site: Site) -> dict[str, list[dict[str, Any]]]:
    return {kind: site.org.call("GET", f"/api/v2/{kind}?orgID={site.org.id}&limit=100")[kind] for kind in KINDS}


def count(site: Site) -> list[int]:
    """Rules, endpoints and checks."""
    return [len(found) for found in kept(site).values()]


@pytest.fixture
def able(site: Site) -> Site:
    """With a token that may keep checks, and with the receiver's Secret."""
    (site.folder / "influxdb-token").write_text(site.org.may(*OPERATOR, *NEEDED))
    made = {"metadata": {"name": "team", "namespace": site.namespace}, "stringData": {"token": SECRET}}
    site.kube.make({"apiVersion": "v1", "kind": "Secret", **made})
    return site


def test_they_are_kept_as_the_policy_says_and_end_with_it(able: Site) -> None:
    able.start(NODETIDE_RESYNC="2s")
    able.apply("p", asking())
    told = able.comes_to("p", "AlertsReady", "True KeptInInfluxDB")
    assert "1 checks and 1 notification rules" in told["message"]
    able.ready("p")
    assert count(able) == [1, 1, 1]
    assert SECRET not in able.log() + str(kept(able)) + str(able.policy("p"))

    # Changed or removed by hand.
    check = kept(able)["checks"][0]
    able.org.call("PATCH", f"/api/v2/checks/{check['id']}", {"status": "inactive"})
    eventually(lambda: kept(able)["checks"][0]["status"] == "active", able.log)
    able.org.call("DELETE", f"/api/v2/checks/{check['id']}")
    eventually(lambda: count(able) == [1, 1, 1], able.log)

    # Another alert.
    able.apply("p", asking([HOT, {**HOT, "name": "Hotter", "critical": {"above": 99}}]))
    eventually(lambda: sorted(item["name"].split()[-1] for item in kept(able)["checks"]) == ["Hot", "Hotter"], able.log)

    # By the operator again, and back.
    able.apply("p", asking(engine="nodetide"))
    eventually(lambda: count(able) == [0, 0, 0], able.log)
    able.apply("p", asking())
    able.comes_to("p", "AlertsReady", "True KeptInInfluxDB")
    able.delete("p")
    eventually(lambda: count(able) == [0, 0, 0], able.log)


def test_what_somebody_else_has_made_is_let_alone(able: Site) -> None:
    able.start(NODETIDE_RESYNC="2s")
    able.apply("p", asking())
    able.comes_to("p", "AlertsReady", "True KeptInInfluxDB")
    theirs = {"name": "theirs", "type": "http", "url": TEAM["url"], "method": "POST", "authMethod": "none"}
    able.org.call("POST", "/api/v2/notificationEndpoints", {**theirs, "orgID": able.org.id, "status": "active"})
    able.delete("p")
    eventually(lambda: kept(able)["checks"] == [], able.log)
    eventually(lambda: [item["name"] for item in kept(able)["notificationEndpoints"]] == ["theirs"], able.log)


def test_without_the_rights_it_says_so_and_the_rest_is_there(site: Site) -> None:
    site.start()
    site.apply("p", asking())
    told = site.comes_to("p", "AlertsReady", "False AlertsBroken")
    assert "token does not allow" in told["message"], told
    site.ready("p")  # it is collected and kept all the same
    assert count(site) == [0, 0, 0]


def test_a_secret_that_is_not_there_is_named_and_taken_when_it_comes(site: Site) -> None:
    (site.folder / "influxdb-token").write_text(site.org.may(*OPERATOR, *NEEDED))
    site.start(NODETIDE_RESYNC="2s")
    site.apply("p", asking())
    told = site.comes_to("p", "AlertsReady", "False AlertsBroken")
    assert "team" in told["message"]
    assert len(kept(site)["checks"]) == 1, "its check does not wait for whoever is told"
    made = {"metadata": {"name": "team", "namespace": site.namespace}, "stringData": {"token": SECRET}}
    site.kube.make({"apiVersion": "v1", "kind": "Secret", **made})
    site.comes_to("p", "AlertsReady", "True KeptInInfluxDB")
    assert count(site) == [1, 1, 1]
