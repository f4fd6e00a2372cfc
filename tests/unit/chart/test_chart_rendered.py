"""What the chart renders: rights, secrets, names and agreement with the rest of the repository."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import realparts
from nodetide_core import __version__
from nodetide_core.catalogue import CATALOGUE
from nodetide_core.policy.parse import parse_policy
from nodetide_core.settings import all_settings, load_settings
from nodetide_operator.crd import render as crd

pytestmark = pytest.mark.peer

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "nodetide"
SCENARIOS = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))
WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet", "Job", "Pod")
SETTINGS = {setting.name: setting for _, setting, _ in all_settings()}

Objects = list[dict[str, Any]]


@pytest.fixture(scope="module", params=SCENARIOS)
def objects(request: pytest.FixtureRequest, render: Callable[..., Objects]) -> Objects:
    return render(request.param)


@pytest.fixture(scope="module")
def default(render: Callable[..., Objects]) -> Objects:
    return render()


def of_kind(objects: Objects, *kinds: str) -> Objects:
    return [found for found in objects if found["kind"] in kinds]


def named(objects: Objects, kind: str, name: str) -> dict[str, Any]:
    (found,) = (one for one in of_kind(objects, kind) if one["metadata"]["name"] == name)
    return found


def pods(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """(component, pod's spec)"""
    for found in of_kind(objects, *WORKLOADS):
        component = found["metadata"]["labels"]["app.kubernetes.io/component"]
        spec = found["spec"] if found["kind"] == "Pod" else found["spec"]["template"]["spec"]
        claims = [claim["metadata"] for claim in found["spec"].get("volumeClaimTemplates", [])]
        yield component, {**spec, "volumes": [*spec.get("volumes", []), *claims]}


def containers(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*spec.get("initContainers", []), *spec["containers"]]


def texts(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from texts(key)
            yield from texts(value)
    elif isinstance(node, list):
        for item in node:
            yield from texts(item)
    else:
        yield str(node)


def rules(*documents: dict[str, Any]) -> list[Any]:
    """Rights in no order."""
    return sorted(
        str({key: sorted(value) for key, value in rule.items()}) for found in documents for rule in found["rules"]
    )


def test_nobody_gets_more_than_the_restricted_standard_allows(objects: Objects):
    for component, spec in pods(objects):
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(spec):
            own = container["securityContext"]
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert not own["allowPrivilegeEscalation"]
            assert own["readOnlyRootFilesystem"]
            assert own.get("runAsUser", 1) > 0 or container["name"] == "spool-directory"
            assert {"requests", "limits"} <= set(container["resources"])
        if component != "collector":
            assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
            assert not [volume for volume in spec.get("volumes", []) if "hostPath" in volume]


def test_of_the_host_the_collector_sees_what_it_needs_and_changes_nothing(default: Objects):
    spec = dict(pods(default))["collector"]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume}
    assert paths == {"proc": "/proc", "sys": "/sys", "root": "/"}
    mounts = {mount["name"]: mount for container in containers(spec) for mount in container["volumeMounts"]}
    assert all(mounts[name]["readOnly"] for name in paths)
    assert mounts["root"]["mountPropagation"] == "HostToContainer"
    assert spec["tolerations"] == [{"operator": "Exists"}]


def test_only_who_talks_to_the_apiserver_has_a_token_for_it(objects: Objects):
    with_token = {component for component, spec in pods(objects) if spec["automountServiceAccountToken"]}
    assert with_token <= {"operator", "apply-policy", "remove-policy"}
    assert not [account for account in of_kind(objects, "ServiceAccount") if account["automountServiceAccountToken"]]
    assert all(not spec["enableServiceLinks"] for _, spec in pods(objects))


def test_no_right_is_a_wildcard(objects: Objects):
    found = [rule for role in of_kind(objects, "Role", "ClusterRole") for rule in role["rules"]]
    assert found
    assert not [rule for rule in found if "*" in texts(rule)]


def test_the_operators_rights_are_those_of_the_plain_files(render: Callable[..., Objects]):
    for scenario, file in (("default", "rbac.yaml"), ("all-namespaces", "rbac-all-namespaces.yaml")):
        plain = list(yaml.safe_load_all((ROOT / "manifests/operator" / file).read_text()))
        rendered = render(scenario)
        for found in of_kind(plain, "Role", "ClusterRole"):
            assert rules(named(rendered, found["kind"], found["metadata"]["name"])) == rules(found)
        bound = {(one["kind"], one["metadata"]["name"]) for one in of_kind(plain, "RoleBinding", "ClusterRoleBinding")}
        for kind, name in bound:
            binding = named(rendered, kind, name)
            assert binding["subjects"] == [
                {"kind": "ServiceAccount", "name": "nodetide-operator", "namespace": "nodetide"}
            ]
            assert binding["roleRef"]["name"] == name
    assert not of_kind(render("all-namespaces"), "Role")[0]["metadata"]["name"].endswith("-policies")


def test_where_not_every_secret_is_its_to_read_its_own_tokens_are_named(render: Callable[..., Objects]):
    for values in ({"receiverSecrets": ["slack"]}, {"watchNamespaces": ["elsewhere"]}):
        rendered = render(values={"operator": values})
        (rule,) = (
            rule
            for rule in named(rendered, "Role", "nodetide-operator")["rules"]
            if rule["resources"] == ["secrets"]
        )  # fmt: skip
        assert rule["resourceNames"] == ["nodetide-token-collector", "nodetide-token-api"]
        assert set(rule["verbs"]) == {"get", "patch"}
        (other,) = (
            rule
            for rule in named(rendered, "Role", "nodetide-operator-policies")["rules"]
            if rule["resources"] == ["secrets"]
        )  # fmt: skip
        assert other.get("resourceNames") == values.get("receiverSecrets")


def test_secrets_are_in_secrets_and_nowhere_else(objects: Objects):
    words = set()
    for secret in of_kind(objects, "Secret"):
        words |= {base64.b64decode(value).decode() for value in secret.get("data", {}).values()}
    assert all(len(word) == 40 for word in words)
    others = [found for found in objects if found["kind"] != "Secret"]
    assert not [text for text in texts(others) for word in words if word in text]
    for _, spec in pods(objects):
        for container in containers(spec):
            assert not [env for env in container.get("env", []) if "secretKeyRef" in env.get("valueFrom", {})]
            assert "envFrom" not in container


def test_a_secret_that_is_given_is_not_made(render: Callable[..., Objects]):
    made = [found for found in of_kind(render("all-namespaces"), "Secret") if {"data", "stringData"} & set(found)]
    assert not made


def test_nothing_is_mounted_in_a_way_that_is_not_kept_up_to_date(objects: Objects):
    for _, spec in pods(objects):
        mounts = [mount for container in containers(spec) for mount in container.get("volumeMounts", [])]
        assert not [mount for mount in mounts if "subPath" in mount]
        volumes = {volume["name"] for volume in spec.get("volumes", [])}
        assert {mount["name"] for mount in mounts} == volumes


def test_what_the_operator_makes_is_waited_for_by_nobody_but_grafana(default: Objects):
    for component in ("collector", "api"):
        spec = dict(pods(default))[component]
        made = {volume["name"]: volume for volume in spec["volumes"] if volume["name"] in ("token", "node-settings")}
        assert made["token"]["secret"] == {
            "secretName": f"nodetide-token-{component}", "optional": True, "defaultMode": 0o440,
        }  # fmt: skip
        if component == "collector":
            assert made["node-settings"]["configMap"] == {"name": "nodetide-node-settings", "optional": True}


@pytest.mark.parametrize(
    ("component", "command"), [("collector", "collect"), ("operator", "operate"), ("api", "serve")]
)
def test_what_our_pods_are_told_are_settings_of_their_command(
    component: str, command: str, objects: Objects, tmp_path: Path
):
    spec = dict(pods(objects))[component]
    (container,) = spec["containers"]
    assert container["args"] == [command]
    told = {env["name"]: env.get("value", "node-1") for env in container["env"]}
    for name in told:
        setting = SETTINGS.get(name) or SETTINGS[name.removesuffix("_FILE")]
        assert command in setting.commands, f"{name} is nothing to `nodetide {command}`"
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    for name in [name for name in told if name.endswith(("_FILE", "_DIR", "_ROOT", "_NODE_SETTINGS"))]:
        assert told[name] in mounts or str(Path(told[name]).parent) in mounts, name
    for name in [name for name in told if name.endswith("_TOKEN_FILE")]:
        (tmp_path / "token").write_text("secret")
        told[name] = str(tmp_path / "token")
    settings = load_settings(told).settings
    if command == "operate":
        assert settings.settings_map == "nodetide-node-settings"
        assert settings.token_secrets == "nodetide-token"
    if command == "collect":
        assert settings.host_name == "node-1"
        assert settings.metrics_listen.port == container["ports"][0]["containerPort"]


def test_extra_environment_wins_over_ours(objects: Objects, render: Callable[..., Objects]):
    for _, spec in pods(objects):
        for container in containers(spec):
            names = [env["name"] for env in container.get("env", [])]
            assert len(names) == len(set(names))
    for component, name in (("collector", "NODETIDE_FLUSH_INTERVAL"), ("influxdb", "INFLUXD_HTTP_BIND_ADDRESS")):
        rendered = render(values={component: {"extraEnv": [{"name": name, "value": "mine"}]}})
        found = dict(pods(rendered))[component]["containers"][0]["env"]
        assert [env["value"] for env in found if env["name"] == name] == ["mine"]


def test_every_part_tells_its_health(objects: Objects):
    for found in of_kind(objects, "DaemonSet", "Deployment", "StatefulSet"):
        container = found["spec"]["template"]["spec"]["containers"][0]
        assert {"livenessProbe", "readinessProbe"} <= set(container)
        ports = {port["name"] for port in container["ports"]}
        assert {container[probe]["httpGet"]["port"] for probe in container if probe.endswith("Probe")} <= ports


def test_services_lead_to_pods(objects: Objects):
    labelled = {
        tuple(sorted(found["spec"]["selector"]["matchLabels"].items())): found["spec"]["template"]
        for found in of_kind(objects, "DaemonSet", "Deployment", "StatefulSet")
    }
    for selector, template in labelled.items():
        assert dict(selector).items() <= template["metadata"]["labels"].items()
    for service in of_kind(objects, "Service"):
        template = labelled[tuple(sorted(service["spec"]["selector"].items()))]
        ports = {port["name"] for port in template["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


def test_images_are_pinned(objects: Objects):
    for _, spec in pods(objects):
        for container in containers(spec):
            name, _, tag = container["image"].rpartition(":")
            assert tag == __version__ if "nodetide-" in name else re.fullmatch(r"v?[0-9]+\.[0-9]+\.[0-9]+", tag)


def test_versions_are_those_of_the_package_and_of_compose():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name in ("influxdb", "grafana"):
        image = values[name]["image"]
        assert (
            f"{image['repository']}:{image['tag']}".removeprefix("docker.io/").removeprefix("library/")
            == (compose[name]["image"])
        )


def test_the_definition_is_the_operators_and_stays(default: Objects, render: Callable[..., Objects]):
    (found,) = of_kind(default, "CustomResourceDefinition")
    assert found["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
    found["metadata"].pop("labels")
    assert found == yaml.safe_load(crd())
    (found,) = of_kind(render(values={"crds": {"keep": False}}), "CustomResourceDefinition")
    assert "annotations" not in found["metadata"]
    assert not of_kind(render(values={"crds": {"enabled": False}}), "CustomResourceDefinition")


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != "minimal"])
def test_the_default_policy_is_valid_and_a_job_may_apply_it(scenario: str, render: Callable[..., Objects]):
    objects = render(scenario)
    held = named(objects, "ConfigMap", "nodetide-default-policy")["data"]["policy.yaml"]
    policy = parse_policy(yaml.safe_load(held))
    assert policy.alerts
    assert [receiver.url for receiver in policy.notify] == (
        ["http://nodetide-alertmanager:9093"] if scenario in ("everything", "all-namespaces") else []
    )
    assert rules(named(objects, "Role", "nodetide-policy")) == [
        str({
            "apiGroups": ["nodetide.io"],
            "resources": ["metricpolicies"],
            "resourceNames": [policy.name],
            "verbs": ["create", "delete", "patch"],
        })
    ]  # fmt: skip


def test_a_changed_policy_is_another_job(render: Callable[..., Objects]):
    def job(values: Mapping[str, Any]) -> str:
        return str(next(found["metadata"]["name"] for found in of_kind(render(values=values), "Job")))

    suspended = {"defaultPolicy": {"spec": {"suspend": True}}}
    assert job({}) == job({})
    assert len({job({}), job(suspended), job({"image": {"tag": "2"}})}) == 3


@pytest.mark.parametrize("base", ["https://wiki.example.com/ops:1/nodetide", "http://wiki/"])
def test_runbooks_are_where_the_values_say(render: Callable[..., Objects], base: str):
    def links(values: Mapping[str, Any]) -> list[str]:
        monitoring = {"monitoring": {"prometheusRule": {"enabled": True}}}
        objects = render(values={**values, **monitoring})
        policy = named(objects, "ConfigMap", "nodetide-default-policy")["data"]["policy.yaml"]
        (rules,) = of_kind(objects, "PrometheusRule")
        alerts = [
            *yaml.safe_load(policy)["spec"]["alerts"],
            *(rule for group in rules["spec"]["groups"] for rule in group["rules"] if "alert" in rule),
        ]
        return [alert["annotations"]["runbook_url"] for alert in alerts]

    theirs, mine = links({}), links({"defaultPolicy": {"runbooks": base}})
    assert len({*theirs}) > 20 and not any("RUNBOOKS" in link for link in theirs)
    assert {link.rpartition("/")[0] for link in mine} == {base.rstrip("/")}
    assert [link.rpartition("/")[2] for link in mine] == [link.rpartition("/")[2] for link in theirs]
    example = Path(__file__).resolve().parents[3] / "manifests/examples/default-alerts.yaml"
    kept = [alert["annotations"]["runbook_url"] for alert in yaml.safe_load(example.read_text())["spec"]["alerts"]]
    assert {*theirs} == {*kept}


@pytest.mark.parametrize(
    "wrong", ["", "wiki", "ftp://wiki", "http://wiki/{{ .x }}", "http://wiki/a b", "http://wiki/#x"]
)
def test_an_address_of_runbooks_that_would_be_no_text_is_refused(
    render: Callable[..., Objects], refused: type[Exception], wrong: str
):
    with pytest.raises(refused, match="runbooks"):
        render(values={"defaultPolicy": {"runbooks": wrong}})


def test_own_alerts_and_receivers_stay(render: Callable[..., Objects]):
    alert = {"name": "A", "type": "deadman", "metric": "system.uptime", "critical": {}}
    receiver = {"name": "r", "type": "http", "url": "http://r"}
    spec = {"alerts": [alert], "notify": [receiver]}
    objects = render(values={"defaultPolicy": {"spec": spec}, "alertmanager": {"enabled": True}})
    found = yaml.safe_load(named(objects, "ConfigMap", "nodetide-default-policy")["data"]["policy.yaml"])
    assert found["spec"] == spec


def reach(objects: Objects, component: str) -> dict[str, Any]:
    return dict(named(objects, "NetworkPolicy", f"nodetide-{component}")["spec"])


def test_only_its_own_parts_reach_influxdb(default: Objects, render: Callable[..., Objects]):
    spec = reach(default, "influxdb")
    ours = {"app.kubernetes.io/name": "nodetide", "app.kubernetes.io/instance": "nodetide"}
    assert spec["ingress"] == [{"ports": [{"port": 8086}], "from": [{"podSelector": {"matchLabels": ours}}]}]
    assert spec["egress"] == []
    # A pod in the host's network has no labels to be known by.
    assert reach(render("host-network"), "influxdb")["ingress"] == [{"ports": [{"port": 8086}]}]


def test_every_part_has_a_network_policy_and_its_port_is_open(objects: Objects):
    policies = of_kind(objects, "NetworkPolicy")
    if not policies:
        pytest.skip("turned off here")
    lasting = of_kind(objects, "DaemonSet", "Deployment", "StatefulSet")
    found = {tuple(sorted(policy["spec"]["podSelector"]["matchLabels"].items())): policy for policy in policies}
    assert len(found) == len(lasting)
    for workload in lasting:
        policy = found[tuple(sorted(workload["spec"]["selector"]["matchLabels"].items()))]
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        port = workload["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"]
        assert [rule["ports"] for rule in policy["spec"]["ingress"]] == [[{"port": port}]]


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://a:8086", 8086),
        ("https://a", 443),
        ("http://a", 80),
        ("https://[::1]:99/sub", 99),
        ("http://10.0.0.1", 80),
    ],
)
def test_collectors_reach_influxdb_wherever_it_is_and_nothing_else(
    url: str, port: int, default: Objects, render: Callable[..., Objects]
):
    values = {"influxdb": {"bundled": False, "url": url, "existingSecret": "s"}}
    dns, operator, influx, bundled = reach(render(values=values), "collector")["egress"]
    assert {item["port"] for item in dns["ports"]} == {53}
    assert operator["ports"] == [{"port": 8080}]
    assert influx == {"ports": [{"port": port}]}
    # Moved away from, it gets their last points.
    assert reach(default, "collector")["egress"] == [dns, operator, bundled]


def test_who_may_reach_can_be_said(render: Callable[..., Objects]):
    objects = render("everything")
    for component, who in (
        ("api", "ingress"),
        ("grafana", "ingress"),
        ("collector", "monitoring"),
        ("operator", "monitoring"),
    ):
        (rule,) = reach(objects, component)["ingress"]
        assert {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": who}}} in rule["from"]
        assert len(rule["from"]) == 2  # and its own parts


def test_dashboards_are_those_of_the_repository(default: Objects):
    maps = [found for found in of_kind(default, "ConfigMap") if "grafana_dashboard" in found["metadata"]["labels"]]
    found = {name: text for one in maps for name, text in one["data"].items()}
    files = {path.name: path.read_text().rstrip("\n") for path in (ROOT / "grafana/dashboards").glob("*.json")}
    assert {name: text.rstrip("\n") for name, text in found.items()} == files
    volumes = {volume["name"]: volume for volume in dict(pods(default))["grafana"]["volumes"]}
    sources = volumes["dashboards"]["projected"]["sources"]
    assert {source["configMap"]["name"] for source in sources} == {one["metadata"]["name"] for one in maps}


def checked(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [str(realparts.path(program)), *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_rules(needs_parts: Callable[..., None], render: Callable[..., Objects], tmp_path: Path):
    needs_parts("promtool")
    (found,) = of_kind(render("everything"), "PrometheusRule")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(found["spec"]))
    said = checked("promtool", "check", "rules", str(tmp_path / "rules.yaml"))
    assert re.search(r"SUCCESS: [1-9][0-9]* rules found", said)
    alerts = [rule for group in found["spec"]["groups"] for rule in group["rules"] if "alert" in rule]
    assert {(rule["labels"]["policy"], rule["labels"]["namespace"]) for rule in alerts} == {
        ("system-metrics", "nodetide")
    }
    assert not re.search("POLICY|NAMESPACE", str(found))


def test_alertmanager_takes_its_configuration(
    needs_parts: Callable[..., None], render: Callable[..., Objects], tmp_path: Path
):
    needs_parts("amtool")
    text = named(render("everything"), "Secret", "nodetide-alertmanager")["stringData"]["alertmanager.yml"]
    (tmp_path / "alertmanager.yml").write_text(text)
    assert "2 inhibit rules" in checked("amtool", "check-config", str(tmp_path / "alertmanager.yml"))
    # What tells series apart must be equal, or the disk that is full would silence another.
    tags = {tag.name for measurement in CATALOGUE for tag in measurement.tags}
    for rule in yaml.safe_load(text)["inhibit_rules"]:
        assert tags <= set(rule["equal"])
        assert {"alertname", "host", "cluster", "policy", "namespace"} <= set(rule["equal"])


def test_scripts_are_what_pods_call(default: Objects):
    scripts = set(named(default, "ConfigMap", "nodetide-scripts")["data"])
    called = {
        re.sub(r"^/scripts/", "", argument)
        for _, spec in pods(default)
        for container in containers(spec)
        for argument in container.get("command", [])
        if argument.startswith("/scripts/")
    }
    assert called == scripts


def test_names_follow_the_release(render: Callable[..., Objects]):
    objects = render(values={"fullnameOverride": "other"})
    bound = ("nodetide.io", "nodetide-collector:", "nodetide-api:", "nodetide-operator:", "nodetide-chart")
    names = [found["metadata"]["name"] for found in objects if found["kind"] != "CustomResourceDefinition"]
    assert all(name.startswith("other") for name in names)
    spec = dict(pods(objects))["collector"]
    assert not [text for text in texts(spec) if text.startswith("nodetide-") and not text.startswith(bound)]
