"""What goes wrong is told, each where it is, and the others go on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.integration.influx_cli.switch import Outage, Switch
from tests.integration.operator.expected import Wanted, check_influx, check_kubernetes, check_tokens
from tests.integration.operator.inside import Inside, inside
from tests.integration.operator.kube import Kube, Refused, policy_path
from tests.integration.operator.site import Site, eventually, spec

from nodetide_core.errors import PolicyError
from nodetide_core.policy import API_VERSION, KIND, parse_policy

pytestmark = pytest.mark.peer

TIERS = {"raw": "24h", "5m": "7d"}
INVALID = yaml.safe_load((Path(__file__).resolve().parents[2] / "fixtures/policies/invalid.yaml").read_text())


@pytest.fixture
def operator(site: Site) -> Iterator[Inside]:
    with inside(site) as running:
        yield running


@pytest.fixture
def lenient(kube: Kube, site: Site) -> Iterator[None]:
    """A definition that takes any spec."""
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/metricpolicies.nodetide.io"
    trial = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "trial"}, "spec": {"nonsense": 1}}

    def define(schema: Any) -> None:
        definition = kube.call("GET", path)
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = schema
        kube.call("PUT", path, definition)

    def taken() -> bool:
        try:
            kube.call("POST", f"{policy_path(site.namespace)}?dryRun=All&fieldValidation=Strict", trial)
        except Refused:
            return False
        return True

    before = kube.call("GET", path)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    define({"type": "object", "properties": {**before["properties"], "spec": anything}})
    try:
        eventually(taken)
        yield
    finally:
        kube.call("DELETE", policy_path(site.namespace))
        define(before)
        eventually(lambda: not taken())


@pytest.fixture
def cut(site: Site) -> Iterator[Switch]:
    """The network between the operator and InfluxDB."""
    with Switch(site.org.server.port) as switch:
        site.environment["INFLUXDB_URL"] = switch.url
        yield switch
        for operator in site.operators:
            operator.end()


def test_a_wrong_spec_that_the_apiserver_takes_is_told_of_and_the_others_go_on(site: Site, operator: Inside) -> None:
    """What it stores may be another thing than it was given: it drops nulls, for instance."""
    site.apply("good", spec(TIERS))
    stored = [site.apply(f"p{number}", row["spec"]) for number, row in enumerate(INVALID) if row["by"] == "core"]
    wrong = {policy["metadata"]["name"]: found for policy in stored if (found := _problems(policy))}
    assert wrong, "nothing to be told of"
    operator.turn()
    _told_of(site, wrong)
    site.ready("good", *(policy["metadata"]["name"] for policy in stored if not _problems(policy)), patience=0)
    notes = {item["regarding"]["name"]: item for item in site.kube.events(site.namespace)}
    assert notes["good"]["type"] == "Normal"
    assert all(notes[name]["type"] == "Warning" and notes[name]["reason"] == "Invalid" for name in wrong)


def test_every_wrong_spec_is_told_of_where_an_older_definition_lets_it_through(
    site: Site, operator: Inside, lenient: None
) -> None:
    """Helm does not update definitions, so the operator may be newer than they are."""
    rows = [row for row in INVALID if isinstance(row["spec"], dict)]
    site.apply("good", spec(TIERS))
    stored = [site.apply(f"p{number}", row["spec"]) for number, row in enumerate(rows)]
    wrong = {policy["metadata"]["name"]: found for policy in stored if (found := _problems(policy))}
    assert len(wrong) > 40
    operator.turn()
    _told_of(site, wrong)
    site.ready("good", patience=0)
    assert site.kube.settings(site.namespace)["everyone"][0] == "good"


def _problems(policy: Any) -> list[str]:
    try:
        parse_policy({**policy, "metadata": {"name": policy["metadata"]["name"]}})
    except PolicyError as error:
        return [f"{problem.path}: {problem.message}" for problem in error.problems]
    return []


def _told_of(site: Site, wrong: Mapping[str, list[str]]) -> None:
    for name, problems in wrong.items():
        accepted = site.condition(name, "Accepted")
        assert (accepted["status"], accepted["reason"]) == ("False", "Invalid"), name
        assert all(problem[:500] in accepted["message"] for problem in problems)
        ready = site.condition(name)
        assert (ready["status"], ready["message"]) == ("False", accepted["message"])
        assert site.conditions(name)["InfluxReachable"] == "Unknown NotAsked"
        assert name not in site.org.buckets()


def test_a_policy_that_becomes_wrong_and_right_again_loses_nothing(site: Site, operator: Inside) -> None:
    good = spec(TIERS, delete=True)
    site.apply("p", good)
    operator.turn()
    before = site.org.buckets()
    alert = {"name": "a", "type": "threshold", "metric": "mem.used", "critical": {"above": 1}, "warning": None}
    site.apply("p", {**good, "alerts": [alert]})
    operator.turn()
    assert site.condition("p", "Accepted")["status"] == "False"
    assert site.org.buckets() == before and len(site.org.tasks()) == 1
    site.apply("p", good)
    operator.turn()
    site.ready("p", patience=0)
    assert site.org.buckets() == before


@pytest.mark.parametrize("delete", [False, True], ids=["Retain", "Delete"])
def test_of_two_with_one_bucket_the_older_has_it_and_the_younger_gets_it_after(
    site: Site, operator: Inside, delete: bool
) -> None:
    older, younger = spec(TIERS, bucket="one", delete=delete), spec({**TIERS, "1h": "30d"}, bucket="one")
    site.apply("z-older", older)
    created = site.policy("z-older")["metadata"]["creationTimestamp"]
    eventually(lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > created)
    site.apply("a-younger", younger)
    operator.turn()
    assert site.conditions("z-older")["Ready"] == "True InEffect"
    conflict = site.condition("a-younger", "Conflicted")
    assert (conflict["status"], conflict["reason"]) == ("True", "BucketTaken")
    assert "z-older" in conflict["message"] and "spec.storage.bucket" in conflict["message"]
    assert site.condition("a-younger")["reason"] == "BucketTaken"
    check_influx(site, [Wanted.of("z-older", older)])
    check_tokens(site, [Wanted.of("z-older", older)])
    check_kubernetes(site, [Wanted.of("z-older", older)])
    site.org.write("one", f"mem,host=a used_percent=1 {int(time.time())}")

    site.delete("z-older")
    operator.turn()
    assert site.conditions("a-younger")["Ready"] == "True InEffect"
    assert site.conditions("a-younger")["Conflicted"] == "False NoConflict"
    check_influx(site, [Wanted.of("a-younger", younger)])
    check_kubernetes(site, [Wanted.of("a-younger", younger)])
    kept = site.org.query("one", "SELECT count(used_percent) FROM mem")
    assert bool(kept) is not delete, "the points are the older one's"


def test_two_of_the_same_second_never_both_wait(site: Site, operator: Inside) -> None:
    """Kubernetes tells the age in seconds; whoever has the bucket by then keeps it."""
    for _ in range(20):
        site.apply("b", spec(TIERS, bucket="one"))
        operator.turn()
        site.apply("a", spec(TIERS, bucket="one"))
        same = len({site.policy(name)["metadata"]["creationTimestamp"] for name in "ab"}) == 1
        operator.turn()
        assert site.conditions("b")["Ready"] == "True InEffect"
        assert site.conditions("a")["Conflicted"] == "True BucketTaken"
        if same:
            return
        for name in "ab":
            site.delete(name)
        operator.turn()
    pytest.skip("this machine is too busy to make two within one second")


def test_data_is_lost_only_when_that_is_allowed(site: Site, operator: Inside) -> None:
    long, short = spec({"raw": "7d", "5m": "30d", "1h": "60d"}), spec({"raw": "2d", "5m": "30d"})
    site.apply("p", long)
    site.apply("q", spec(TIERS))
    operator.turn()
    site.apply("p", short)
    operator.turn()
    told = site.condition("p", "Reconciled")
    assert (told["status"], told["reason"]) == ("False", "DataLossNotAllowed")
    assert 'nodetide.io/allow-data-loss: "true"' in told["message"] and "p-1h" in told["message"]
    assert site.condition("p")["reason"] == "DataLossNotAllowed"
    check_influx(site, [Wanted.of("p", long), Wanted.of("q", spec(TIERS))])
    site.ready("q", patience=0)
    site.apply("p", short, allow_data_loss="true")
    operator.turn()
    site.ready("p", patience=0)
    check_influx(site, [Wanted.of("p", short), Wanted.of("q", spec(TIERS))])


def test_influxdb_down_is_told_and_no_more_when_it_is_back(site: Site, cut: Switch) -> None:
    cut.fail(Outage.REFUSED)
    site.apply("p", spec(TIERS))
    site.start()
    site.comes_to("p", "InfluxReachable", "False InfluxUnreachable")
    assert site.condition("p")["reason"] == "InfluxUnreachable"
    assert site.conditions("p")["Accepted"] == "True Valid"
    assert site.probe("/liveness")[0] == site.probe("/readiness")[0] == 200, "nothing that a restart would mend"
    cut.mend()
    site.ready("p")
    check_influx(site, [Wanted.of("p", spec(TIERS))])
    # And later, where an edit comes while it is away, and nothing else has it look.
    site.quiet()
    cut.fail(Outage.REFUSED)
    edited = spec({**TIERS, "1h": "30d"})
    site.apply("p", edited)
    site.comes_to("p", "InfluxReachable", "False InfluxUnreachable")
    told = site.policy("p")["status"]
    assert [item["name"] for item in told["buckets"]] == ["p", "p-5m"], "what was seen last"
    assert site.kube.settings(site.namespace)["everyone"] == ["p"], "collectors go on"
    cut.mend()
    site.ready("p")
    eventually(lambda: check_influx(site, [Wanted.of("p", edited)]), site.log)
    assert "Connection refused" in site.log()
    eventually(lambda: site.log().count(": all works again") == 2, site.log)


def test_an_influxdb_that_hangs_holds_nothing_up_but_what_it_is_asked(site: Site, cut: Switch) -> None:
    site.apply("p", spec(TIERS))
    site.start()
    site.ready("p")
    cut.fail(Outage.HANGING)
    site.apply("q", spec(TIERS))
    eventually(lambda: cut.connections, site.log)
    assert site.probe("/liveness")[0] == 200
    assert site.stop() == 0, "it does not wait for an answer"


def test_a_token_that_is_refused_is_told_and_a_new_one_is_used_at_once(site: Site) -> None:
    (site.folder / "influxdb-token").write_text("wrong")
    site.apply("p", spec(TIERS))
    site.start()
    site.comes_to("p", "InfluxReachable", "False InfluxUnreachable")
    assert "INFLUXDB_TOKEN" in site.condition("p", "InfluxReachable")["message"]
    (site.folder / "influxdb-token").write_text(site.org.token)
    site.ready("p")


def test_an_organization_that_is_not_there_is_told(site: Site) -> None:
    site.apply("p", spec(TIERS))
    site.start(INFLUXDB_ORG="nowhere")
    told: dict[str, Any] = site.comes_to("p", "Ready", "False InfluxUnreachable")
    assert "'nowhere'" in told["message"] and "INFLUXDB_ORG" in told["message"]
