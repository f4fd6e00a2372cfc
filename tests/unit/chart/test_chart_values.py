"""Every value is described, checked and of effect; what is generated is up to date."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hack.chart import __main__ as generated
from hack.chart.keys import Key, UndescribedKey, keys_of
from hack.chart.kinds import UnknownKind
from hack.writing import stale

pytestmark = pytest.mark.peer

CHART = Path(__file__).resolve().parents[3] / "charts" / "nodetide"
KEYS = keys_of((CHART / "values.yaml").read_text())
EVERYTHING = yaml.safe_load((CHART / "ci/everything-values.yaml").read_text())

#: By the end of a path: another value than any that `everything` has.
OTHER: dict[str, Any] = {
    "updateStrategy": {"type": "OnDelete"},
    "api.updateStrategy": {"type": "Recreate"},
    "resources": {"limits": {"memory": "77Mi"}},
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "defaultPolicy.spec": {"suspend": True},
    "alertmanager.config": {"route": {"receiver": "changed"}},
    "tolerations": [{"key": "changed"}],
    "topologySpreadConstraints": [{"maxSkew": 7}],
    "tls": [{"secretName": "changed"}],
    "parentRefs": [{"name": "changed"}],
    "clients": [{"podSelector": {"matchLabels": {"changed": "yes"}}}],
    "scrapers": [{"podSelector": {"matchLabels": {"changed": "yes"}}}],
    "extraEnv": [{"name": "CHANGED", "value": "yes"}],
    "pullSecrets": ["changed"],
    "watchNamespaces": ["changed"],
    "receiverSecrets": ["changed"],
    "hosts": ["changed.example.com"],
    "hostnames": ["changed.example.com"],
    "logLevel": "warning",
    "listenAddress": "[::]",
    "pullPolicy": "Never",
    "propagation": "None",
    "service.type": "LoadBalancer",
    "url": "http://changed:1234",
    "runbooks": "https://changed.example.com/runbooks",
    "resync": "77s",
    "flushInterval": "77s",
    "serviceMonitor.interval": "77s",
    "maxBytes": "77Mi",
    "sizeLimit": "77Mi",
    "size": "77Gi",
    "hostPath": "/changed",
    "maxUnavailable": "77%",
}
WORDS = ("Labels", "labels", "Annotations", "annotations", "nodeSelector")
#: What a key needs beside it to be of any effect; `everything` is the ground.
NEEDED: dict[str, dict[str, Any]] = {
    "influxdb.url": {"influxdb": {"bundled": False, "existingSecret": "given", "url": "http://before"}},
    "alertmanager.config": {"alertmanager": {"existingSecret": ""}},
    "collector.spool.sizeLimit": {"collector": {"spool": {"hostPath": ""}}},
    "api.replicas": {"api": {"autoscaling": {"enabled": False}}},
    "api.updateStrategy": {"api": {"updateStrategy": {"type": "Recreate", "rollingUpdate": None}}},
    "operator.watchAllNamespaces": {"operator": {"watchNamespaces": []}},
    "influxdb.bundled": {"influxdb": {"url": "http://given", "existingSecret": "given"}},
    "influxdb.persistence.storageClass": {},
}


def nested(path: str, value: Any) -> dict[str, Any]:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def merged(ground: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(deepcopy(ground))
    for name, value in over.items():
        found[name] = (
            merged(found[name], value) if isinstance(value, dict) and isinstance(found.get(name), dict) else value
        )
    return found


def at(values: Any, path: str) -> Any:
    for name in path.split("."):
        values = values.get(name) if isinstance(values, dict) else None
    return values


def other(key: Key) -> Any:
    for end in sorted(OTHER, key=len, reverse=True):
        if re.search(rf"(^|\.){re.escape(end)}$", key.path):
            return OTHER[end]
    if key.path.endswith(WORDS):
        return {"changed": "yes"}
    now = at(EVERYTHING, key.path)
    now = key.default if now is None else now
    if isinstance(now, bool):
        return not now
    if isinstance(now, int):
        return now + 1
    assert isinstance(now, str), f"{key.path}: say in OTHER what else it may be"
    return "changed"


def without_chance(text: str) -> str:
    """The same for each rendering: what is made by chance is left out."""
    return re.sub(r"(?m)^(  (token|password|changed): )[A-Za-z0-9+/]{50,}=*$", r"\1...", text)


def test_what_is_generated_is_up_to_date():
    wanted = generated.of_chart()
    assert not stale(wanted), "run `make docs`"
    mine = {CHART / "files/alertmanager.yml", *(CHART / "files/scripts").iterdir()}
    assert set(generated.surplus(wanted, CHART / "files")) == mine


def test_the_plain_manifests_are_those_of_the_chart(needs_parts: Callable[..., None]):
    needs_parts("helm")
    wanted = generated.of_manifests()
    assert not stale(wanted), "run `make docs`"
    assert not generated.surplus(wanted, generated.INSTALL)


@pytest.mark.parametrize("text", ["a: true\n", "# said\n\na: true\n", "# said\nb:\n  c: 1s\n"])
def test_a_key_without_a_description_is_refused(text: str):
    with pytest.raises((UndescribedKey, UnknownKind), match=r"^(a|b\.c)"):
        keys_of(text)


def test_a_key_whose_kind_nobody_knows_is_refused():
    with pytest.raises(UnknownKind, match=r"^a: .*kinds\.py"):
        keys_of('# said\na: ""\n')


def test_values_and_schema_have_the_same_keys():
    def paths(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> set[str]:
        found = set()
        for name, inner in schema["properties"].items():
            is_section = "properties" in inner and "description" not in inner
            found |= paths(inner, (*path, name)) if is_section else {".".join((*path, name))}
        return found

    schema = json.loads((CHART / "values.schema.json").read_text())
    assert paths(schema) - {"global"} == {key.path for key in KEYS}


@pytest.fixture(scope="module")
def complaints(helm_template: Callable[..., str], refused: type[Exception]) -> Callable[[list[tuple[str, Any]]], str]:
    """What Helm says of values, many at once: it names them all."""

    def of(wrong: list[tuple[str, Any]]) -> str:
        values: dict[str, Any] = {}
        for path, value in wrong:
            values = merged(values, nested(path, value))
        with pytest.raises(refused) as caught:
            helm_template(values=values)
        return str(caught.value)

    return of


def test_a_typo_is_named_in_every_section(complaints: Callable[..., str]):
    sections = sorted({"", *(key.path.rpartition(".")[0] for key in KEYS)})
    said = complaints([(f"{section}.enabeld".lstrip("."), True) for section in sections])
    places = re.findall(r"at '(.*)': additional properties 'enabeld' not allowed", said)
    assert sorted(places) == [f"/{section.replace('.', '/')}".rstrip("/") for section in sections]


def test_a_value_of_the_wrong_kind_is_named_for_every_key(complaints: Callable[..., str]):
    of_text = [key for key in KEYS if isinstance(key.default, dict)]
    of_object = [key for key in KEYS if key not in of_text]
    said = complaints([(key.path, "no such") for key in of_text] + [(key.path, {"no": "such"}) for key in of_object])
    assert {f"/{key.path.replace('.', '/')}" for key in KEYS} <= set(re.findall(r"at '(.*?)':", said))


@pytest.fixture(scope="module")
def grounds() -> dict[str, str]:
    """What was rendered already, by its values."""
    return {}


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_every_key_is_of_effect(key: Key, helm_template: Callable[..., str], grounds: dict[str, str]):
    ground = merged(EVERYTHING, NEEDED.get(key.path, {}))
    if repr(ground) not in grounds:
        grounds[repr(ground)] = without_chance(helm_template(values=ground))
    value = other(key)
    changed = merged(merged(ground, nested(key.path, None)), nested(key.path, value))
    after = without_chance(helm_template(values=changed))
    assert after != grounds[repr(ground)]
    assert not isinstance(value, str) or value in after


def test_the_same_values_give_the_same(helm_template: Callable[..., str]):
    """Or the test above would see an effect where there is none."""
    assert without_chance(helm_template("everything")) == without_chance(helm_template("everything"))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"influxdb": {"bundled": False}}, "influxdb.url is needed where influxdb.bundled is false"),
        ({"influxdb": {"bundled": False, "url": "http://x"}}, "influxdb.existingSecret is needed"),
        ({"api": {"httpRoute": {"enabled": True}}}, "api.httpRoute.parentRefs is needed"),
        ({"influxdb": {"url": "http://user:secret@host"}}, "/influxdb/url"),
        ({"collector": {"rootMount": {"propagation": "Bidirectional"}}}, "/collector/rootMount/propagation"),
        ({"collector": {"spool": {"hostPath": "relative"}}}, "/collector/spool/hostPath"),
        ({"operator": {"resync": "soon"}}, "/operator/resync"),
        # Every drain of a node would wait for ever.
        ({"api": {"podDisruptionBudget": {"maxUnavailable": 0}}}, "/api/podDisruptionBudget/maxUnavailable"),
        ({"api": {"podDisruptionBudget": {"maxUnavailable": "0%"}}}, "/api/podDisruptionBudget/maxUnavailable"),
    ],
)
def test_what_cannot_work_is_refused(
    values: dict[str, Any], says: str, helm_template: Callable[..., str], refused: type[Exception]
):
    with pytest.raises(refused, match=says):
        helm_template(values=values)
