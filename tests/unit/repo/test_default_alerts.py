"""The default alerts look at what there is, explain themselves, and each has a runbook."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nodetide_core.alerts.levels import levels_of
from nodetide_core.alerts.promql import series_labels
from nodetide_core.catalogue import CATALOGUE, select
from nodetide_core.lineprotocol import parse_line
from nodetide_core.policy import Alert, load_policies

ROOT = Path(__file__).resolve().parents[3]
(POLICY,) = load_policies(ROOT / "manifests/examples/default-alerts.yaml")
RUNBOOKS = ROOT / "docs/runbooks"
GOLDEN = ROOT / "tests/fixtures/hosts/golden"
#: The collector's own series are of groups, and one for all of them.
OF_COLLECTOR = {"group": {"all", "cpu"}}


def every(alert: Alert) -> str:
    return alert.name


def series() -> list[tuple[str, dict[str, str], set[str]]]:
    """Measurement, tags and fields of all series of all fixture hosts."""
    found = []
    for file in GOLDEN.glob("*.lp"):
        for line in file.read_text().splitlines():
            if not line.startswith("#"):
                point = parse_line(line + " 0")
                found.append((point.measurement, dict(point.tags), set(point.fields)))
    return found


SERIES = series()


@pytest.mark.parametrize("alert", POLICY.alerts, ids=every)
def test_it_explains_itself(alert: Alert) -> None:
    assert set(alert.annotations) == {"summary", "description", "runbook_url"}
    assert not alert.annotations["summary"].endswith(".")
    assert alert.annotations["description"].endswith(".")
    places = {place for text in alert.annotations.values() for place in re.findall(r"\{\{ (\w+) \}\}", text)}
    assert places <= {"value", *series_labels(POLICY, alert)}
    assert "host" in places


@pytest.mark.parametrize("alert", POLICY.alerts, ids=every)
def test_it_looks_at_series_that_hosts_have(alert: Alert) -> None:
    measurement, _, field = (alert.metric or "").partition(".")
    if measurement == "collector":
        assert all(value in OF_COLLECTOR[name] for name, value in alert.filter.items())
        return
    derived = field.startswith("usage_")
    assert any(
        name == measurement and alert.filter.items() <= tags.items() and (not field or derived or field in fields)
        for name, tags, fields in SERIES
    )
    own = {tag.name for tag in CATALOGUE[measurement].tags}
    assert set(alert.group_by) <= own | {"host"}


@pytest.mark.parametrize("alert", POLICY.alerts, ids=every)
def test_what_calls_people_does_not_come_and_go(alert: Alert) -> None:
    for severity, level in levels_of(alert).items():
        flag = level.bounds in ((0,), (1,))
        if severity != "info" and alert.type == "threshold" and level.relation in ("above", "below") and not flag:
            assert level.recover is not None and level.recover != level.bounds
            assert alert.for_ > 0


def test_each_has_a_runbook_and_each_runbook_an_alert() -> None:
    assert {file.stem for file in RUNBOOKS.glob("*.md")} == {alert.name for alert in POLICY.alerts}
    for alert in POLICY.alerts:
        address = alert.annotations["runbook_url"]
        assert address.endswith(f"/docs/runbooks/{alert.name}.md")
    assert len({alert.annotations["runbook_url"].rpartition("/")[0] for alert in POLICY.alerts}) == 1


@pytest.mark.parametrize("alert", POLICY.alerts, ids=every)
def test_a_runbook_says_what_it_means_and_what_to_do(alert: Alert) -> None:
    text = (RUNBOOKS / f"{alert.name}.md").read_text()
    assert re.findall(r"^#+ .*$", text, re.M)[0] == f"# {alert.name}"
    assert re.findall(r"^## (.*)$", text, re.M) == ["Impact", "Look", "Do"]
    asked = re.findall(r"metric=([\w.-]+)", text)
    assert asked
    for metric in asked:
        select(metric)  # raises where the API would refuse it
    assert text.count("\n- ") >= 2


def test_the_guide_lists_every_one() -> None:
    guide = (ROOT / "docs/alerts.md").read_text()
    assert re.findall(r"^\| \[(\w+)\]", guide, re.M) == [alert.name for alert in POLICY.alerts]
