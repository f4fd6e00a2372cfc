"""Every part may do what it needs to and nothing else, as the apiserver judges, and as a network that enforces policies
does; and no secret is told anywhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from servers import KubectlFailed, RealNode
from tests.cluster.conftest import TOOLS
from tests.cluster.enforcing import Enforcer, enforced
from tests.cluster.release import NAME, Release, condition, eventually, policy

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(600)]

LEVEL = "pod-security.kubernetes.io/enforce"
#: Parts whose pods talk to the apiserver, by the label of their component.
WITH_TOKEN = {"operator", "apply-policy"}
COMPONENTS = {"api", "collector", "influxdb", "operator", "apply-policy"}
#: Who is not of the release, all in the namespace `default`; the first two are let in.
OUTSIDERS = ("client", "scraper", "stranger")


def let_in(who: str) -> list[dict[str, Any]]:
    """A value of `networkPolicy`."""
    there = {"matchLabels": {"kubernetes.io/metadata.name": "default"}}
    return [{"namespaceSelector": there, "podSelector": {"matchLabels": {"app": who}}}]


@pytest.fixture(scope="module")
def enforcer(stocked: RealNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enforcer]:
    """From before the release until after it."""
    with enforced(stocked, tmp_path_factory.mktemp("network")) as running:
        yield running


@pytest.fixture(scope="module")
def release(stocked: RealNode, enforcer: Enforcer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """In a namespace that takes only what is `restricted`, and telling as much as it can."""
    made = Release(stocked, tmp_path_factory.mktemp("helm"))
    try:
        stocked.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME, "labels": {LEVEL: "restricted"}}}
        )
        # A restricted namespace has the collectors' DaemonSet stay empty, so nothing is to wait for them.
        made.install(
            # A token that is replaced takes up to 90 s to the collector.
            "--set=api.auth.enabled=true,logLevel=debug,operator.resync=5s,tests.timeoutSeconds=180",
            f"--set-json=networkPolicy.clients={json.dumps(let_in('client'))}",
            f"--set-json=networkPolicy.scrapers={json.dumps(let_in('scraper'))}",
        )
        yield made
    finally:
        made.remove()


def test_restricted_takes_all_but_the_collector(release: Release) -> None:
    for part in ("statefulset/nodetide-influxdb", "deployment/nodetide-operator", "deployment/nodetide-api"):
        release.kubectl("rollout", "status", part, "--timeout=120s")
    eventually(lambda: condition(release.one("metricpolicy", "system-metrics"), "Ready") == "True")
    assert release.pods("collector") == []


def test_of_restricted_the_collector_lacks_the_hosts_directories_alone(release: Release) -> None:
    refused = [event["message"] for event in release.get("events") if event["reason"] == "FailedCreate"]
    assert refused
    for message in refused:
        _, _, why = message.partition('violates PodSecurity "restricted:latest": ')
        assert why.startswith("restricted volume types ("), message
        assert '"hostPath")' in why
        assert ", " not in why.partition('"hostPath")')[2], message
    release.kubectl("label", "namespace", NAME, f"{LEVEL}=privileged", "--overwrite")
    release.kubectl("rollout", "restart", "daemonset/nodetide-collector")
    release.kubectl("rollout", "status", "daemonset/nodetide-collector", "--timeout=120s")


def test_only_who_talks_to_the_apiserver_has_a_token_for_it(release: Release) -> None:
    with_token, seen = set(), set()
    for pod in release.get("pods"):
        part = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        seen.add(part)
        mounts = [mount["mountPath"] for container in pod["spec"]["containers"] for mount in container["volumeMounts"]]
        if any(path.startswith("/var/run/secrets/kubernetes.io") for path in mounts):
            with_token.add(part)
    assert seen == COMPONENTS
    assert with_token == WITH_TOKEN


def test_no_role_has_a_wildcard(release: Release) -> None:
    roles = [made for made in manifest(release) if made["kind"] in ("Role", "ClusterRole")]
    assert len(roles) >= 4
    for role in roles:
        for rule in role["rules"]:
            assert "*" not in {entry for entries in rule.values() for entry in entries}, role["metadata"]["name"]


#: Whether an account may, as kubectl asks it.
MAY: tuple[tuple[str, bool, str], ...] = (
    ("nodetide-operator", True, "watch nodes"),
    ("nodetide-operator", True, "patch metricpolicies --subresource=status"),
    ("nodetide-operator", True, "patch secret/nodetide-token-collector"),
    ("nodetide-operator", False, "list secrets"),
    ("nodetide-operator", False, "patch secret/nodetide-influxdb"),
    ("nodetide-operator", False, "get secrets --namespace=kube-system"),
    ("nodetide-operator", False, "create secrets --namespace=kube-system"),
    ("nodetide-operator", False, "patch metricpolicies"),
    ("nodetide-operator", False, "patch nodes"),
    ("nodetide-operator", False, "create pods"),
    ("nodetide-operator", False, "get nodes --subresource=proxy"),
    ("nodetide-policy", True, "delete metricpolicy/system-metrics"),
    ("nodetide-policy", False, "delete metricpolicy/other"),
    ("nodetide-policy", False, "get secrets"),
    ("nodetide", False, "get secrets"),
    ("nodetide", False, "list pods"),
    ("nodetide", False, "get metricpolicies"),
    ("nodetide", False, "get configmaps"),
)


@pytest.mark.parametrize(("account", "may", "what"), MAY, ids=lambda value: str(value).replace(" ", "-"))
def test_the_apiserver_lets_an_account_do(release: Release, account: str, may: bool, what: str) -> None:
    try:
        said = release.kubectl("auth", "can-i", *what.split(), f"--as=system:serviceaccount:{NAME}:{account}")
    except KubectlFailed as error:
        said = error.stdout
    assert said.strip() == ("yes" if may else "no")


@pytest.fixture(scope="module")
def secrets(release: Release) -> Mapping[str, str]:
    """Every secret value of the release, after troubles that make the parts talk of what they do."""
    release.apply(policy("wrong", storage={"bucket": "system-metrics"}))
    release.kubectl("delete", "secret", "nodetide-token-collector")
    release.kubectl("delete", "pod", "nodetide-influxdb-0")
    release.kubectl("rollout", "status", "statefulset/nodetide-influxdb", "--timeout=120s")
    eventually(lambda: release.secret("nodetide-token-collector", "token"))
    eventually(lambda: condition(release.one("metricpolicy", "system-metrics"), "Ready") == "True")
    values = {
        f"{secret['metadata']['name']}/{key}": base64.b64decode(value).decode()
        for secret in release.get("secret")
        if secret["type"] == "Opaque"
        for key, value in secret["data"].items()
    }
    assert set(values) == {
        "nodetide-influxdb/token",
        "nodetide-influxdb/password",
        "nodetide-token-collector/token",
        "nodetide-token-api/token",
        "nodetide-api-auth/token",
    }
    assert all(len(value) >= 20 for value in values.values())
    return values


def told(secrets: Mapping[str, str], *texts: str) -> set[str]:
    """Names of the secrets that a text tells, as they are or in base64."""
    return {
        name
        for name, value in secrets.items()
        if any(form in text for form in (value, base64.b64encode(value.encode()).decode()) for text in texts)
    }


def test_looking_finds_what_is_told(release: Release, secrets: Mapping[str, str]) -> None:
    assert told(secrets, json.dumps(release.get("secret"))) == set(secrets)
    assert told(secrets, f"wget --header={secrets['nodetide-api-auth/token']}") == {"nodetide-api-auth/token"}


def test_no_log_tells_a_secret(release: Release, stocked: RealNode, secrets: Mapping[str, str]) -> None:
    logs = {}
    for pod in release.get("pods"):
        name = pod["metadata"]["name"]
        logs[name] = release.kubectl("logs", name, "--all-containers", "--tail=-1")
        assert told(secrets, logs[name]) == set(), name
    assert sum(map(len, logs.values())) > 5000, "at the level debug they have said something"
    for server in (stocked.kubelet, stocked.containerd):
        assert told(secrets, server.log.read_text(errors="replace")) == set(), server.name


def test_no_object_tells_a_secret(release: Release, secrets: Mapping[str, str]) -> None:
    kinds = release.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
    kinds.remove("secrets")
    found = release.kubectl("get", ",".join(kinds), "--output=json", "--ignore-not-found")
    assert {"Event", "ConfigMap", "MetricPolicy", "Pod"} <= {made["kind"] for made in json.loads(found)["items"]}
    assert told(secrets, found) == set()


def test_nothing_that_helm_shows_tells_a_secret_but_the_secrets(release: Release, secrets: Mapping[str, str]) -> None:
    others = [made for made in manifest(release) if made["kind"] != "Secret"]
    values = release.helm("get", "values", NAME, "--all")
    notes = release.helm("get", "notes", NAME)
    hooks = release.helm("get", "hooks", NAME)
    assert told(secrets, json.dumps(others), values, notes, hooks) == set()


def test_no_process_on_the_node_has_a_secret_among_its_arguments_or_variables(
    stocked: RealNode, secrets: Mapping[str, str]
) -> None:
    script = (
        'for pid in /proc/[0-9]*; do tr "\\0" "\\n" <$pid/cmdline; tr "\\0" "\\n" <$pid/environ; done 2>/dev/null; true'
    )
    seen = stocked.machine.run("sh", "-c", script)
    assert "INFLUXDB_TOKEN_FILE=/run/influxdb/token" in seen.splitlines()
    assert "operate" in seen.splitlines()
    assert told(secrets, seen) == set()


def test_with_policies_enforced_all_of_it_works_and_nothing_is_refused(release: Release, enforcer: Enforcer) -> None:
    """After all that was done here: installing, tokens replaced, InfluxDB away and back."""
    assert "Phase:          Succeeded" in release.helm("test", NAME)
    passed, refused = enforcer.counts()
    assert refused == {}
    # Names, questions, points: what has to have happened for that.
    assert {"nodetide-collector/egress/0", "nodetide-collector/egress/2", "nodetide-api/egress/2"} <= passed.keys()


@pytest.fixture(scope="module")
def addresses(release: Release, enforcer: Enforcer) -> Iterator[Mapping[str, str]]:
    """Of pods, by their part."""
    names = [f"pod/{name}" for name in OUTSIDERS]
    for name in OUTSIDERS:
        release.node.create(outsider(name))
    try:
        release.node.plane.kubectl("wait", "--for=condition=Ready", *names, "--timeout=120s")
        pods = [json.loads(release.node.plane.kubectl("get", name, "--output=json")) for name in names]
        found = dict(zip(OUTSIDERS, (pod["status"]["podIP"] for pod in pods), strict=True))
        for part in ("api", "collector", "influxdb", "operator"):
            (pod,) = release.pods(part)
            found[part] = pod["status"]["podIP"]
        eventually(lambda: all(map(enforcer.knows, found.values())))
        yield found
    finally:
        release.node.plane.kubectl("delete", *names, "--force", "--grace-period=0", "--wait=false")


def outsider(name: str) -> dict[str, Any]:
    sleeping = {"name": name, "image": TOOLS, "imagePullPolicy": "Never", "command": ["sleep", "3600"]}
    about = {"name": name, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": {"containers": [sleeping]}}


#: By who begins to talk: to whom it may, of all.
REACHES = {
    "api": {"influxdb", "operator"},
    "collector": {"influxdb", "operator"},
    "influxdb": set(),
    "operator": {"api", "collector", "influxdb", "apiserver", "kubelet"},
    "client": {"api", "apiserver", "kubelet"},
    "scraper": {"collector", "operator", "apiserver", "kubelet"},
    "stranger": {"apiserver", "kubelet"},
}


@pytest.mark.parametrize("source", REACHES)
def test_a_part_reaches_whom_it_needs_to_and_nobody_else(
    source: str, release: Release, enforcer: Enforcer, addresses: Mapping[str, str]
) -> None:
    ports = {"api": 8000, "collector": 9101, "influxdb": 8086, "operator": 8080}
    targets = {part: f"{addresses[part]}:{port}" for part, port in ports.items() if part != source}
    targets["apiserver"] = release.node.plane.url.partition("//")[2]
    targets["kubelet"] = f"{release.node.machine.network.there}:10250"
    reached = enforcer.reaches(addresses[source], targets.values())
    assert {target for target, found in zip(targets, reached, strict=True) if found} == REACHES[source]


def test_every_rule_has_let_something_pass(release: Release, enforcer: Enforcer) -> None:
    rules = {
        f"{made['metadata']['name']}/{direction}/{place}"
        for made in release.get("networkpolicy")
        for direction in ("ingress", "egress")
        for place in range(len(made["spec"].get(direction, [])))
    }
    assert len(rules) == 11
    assert {rule for rule, count in enforcer.counts()[0].items() if count} == rules


def manifest(release: Release) -> list[dict[str, Any]]:
    return [made for made in yaml.safe_load_all(release.helm("get", "manifest", NAME)) if made]
