"""What people read: labels, annotations, ids; whatever is filled in stays data."""

from __future__ import annotations

import math

import pytest

from nodetide_core.alerts.model import AlertKey
from nodetide_core.alerts.texts import alert_id, annotations_of, format_value, labels_of, silenced
from nodetide_core.points import make_tags
from nodetide_core.policy.spec import Silence


def made(policy, cpu, annotations, tags=(("host", "a"),), value=97.5, cluster="", **labels):
    rules = policy(cpu(annotations=annotations, labels=labels))
    (alert,) = rules.alerts
    key = AlertKey("p", alert.name, "critical", tags)
    known = labels_of(rules, alert, key, cluster)
    return known, annotations_of(alert, known, value)


def test_labels_name_alert_policy_and_series(policy, cpu):
    labels, _ = made(policy, cpu, {}, make_tags({"host": "a", "path": "/"}), cluster="east", team="x")
    assert labels == {
        "alertname": "HighCPU",
        "severity": "critical",
        "policy": "p",
        "namespace": "ops",
        "cluster": "east",
        "host": "a",
        "path": "/",
        "team": "x",
    }


def test_no_tag_and_no_label_takes_the_place_of_a_name(policy, cpu):
    tags = make_tags({"host": "a", "severity": "info", "policy": "other", "cluster": "own"})
    labels, _ = made(policy, cpu, {}, tags, cluster="east", alertname="Mine", namespace="x", host="b")
    assert (labels["alertname"], labels["severity"], labels["policy"], labels["namespace"]) == (
        "HighCPU",
        "critical",
        "p",
        "ops",
    )
    assert (labels["cluster"], labels["host"]) == ("own", "b")


def test_places_are_filled_in_and_anything_else_stays(policy, cpu):
    texts = {
        "summary": "{{host}} at {{ value }} % ({{  severity }})",
        "literal": "${value} {{ unknown }} {{ $value }} {{ value | printf }} {value} {{}} %s \\n",
    }
    _, found = made(policy, cpu, texts)
    assert found["summary"] == "a at 97.5 % (critical)"
    assert found["literal"] == texts["literal"]


@pytest.mark.parametrize("host", ["{{ value }}", "{{ host }}", "$(rm)", '"; drop', "\\g<0>", "\\1", "{{ {{ host }} }}"])
def test_what_is_filled_in_is_not_looked_through_again(policy, cpu, host):
    _, found = made(policy, cpu, {"a": "<{{ host }}>"}, make_tags({"host": host}))
    assert found["a"] == f"<{dict(make_tags({'host': host}))['host']}>"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (97.123, "97.12"),
        (97.5, "97.5"),
        (1e20, f"1{20 * '0'}"),
        (0.01234, "0.0123"),
        (-0.0, "0"),
        (-3.2, "-3.2"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_values_are_short(value, text):
    assert format_value(value) == text


def test_an_id_is_of_bucket_alert_and_series_alone():
    def of(bucket="b", alert="a", severity="critical", **tags):
        return alert_id(AlertKey(bucket, alert, severity, make_tags(tags)))

    assert of(host="x") == of(host="x", severity="warning")
    different = {
        of(),
        of(host="x"),
        of(host="y"),
        of(alert="b"),
        of(bucket="c"),
        of(bucket="ba", alert=""),
        of(hostx=""),
    }
    assert len(different) == 6  # the last has no tag either


def test_a_silence_needs_every_label_and_its_time():
    silence = Silence({"host": "a", "severity": "info"}, 100, "")
    labels = {"host": "a", "severity": "info", "more": "x"}
    assert silenced([silence], labels, 99.9)
    assert not silenced([silence], labels, 100)
    assert not silenced([silence], {**labels, "host": "b"}, 50)
    assert not silenced([silence], {"host": "a"}, 50)
    assert silenced([Silence({"x": "y"}, 100, ""), silence], labels, 50)
    assert not silenced([], labels, 50)
