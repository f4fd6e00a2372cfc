"""docs/operator.md names what the code has: conditions, metrics, probes, permissions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.integration.operator.org import OPERATOR
from tests.integration.operator.rights import OWN_NAMESPACE, permissions

from nodetide_operator import alert_news, statuses
from nodetide_operator.metrics import Metrics

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "operator.md").read_text()
_CODE = "".join(Path(module.__file__ or "").read_text() for module in (statuses, alert_news))


def test_it_explains_every_condition_and_reason() -> None:
    types = set(re.findall(r'_Condition\(\s*"(\w+)"', _CODE)) | {"DownsamplingUpToDate"}
    reasons = set(re.findall(r'"(?:True|False|Unknown)", "(\w+)"', _CODE))
    assert len(types) == 7 and len(reasons) > 10
    assert {name for name in types | reasons if f"`{name}`" not in PAGE} == set()


def test_it_lists_every_metric_and_no_other() -> None:
    text = Metrics().text().decode()
    told = set(re.findall(r"# TYPE (\w+)", text)) - set(re.findall(r"\w+_created", text))
    assert told == set(re.findall(r"`(nodetide_operator_\w+)", PAGE))


@pytest.mark.parametrize("permission", permissions(OWN_NAMESPACE), ids=str)
def test_it_lists_every_right(permission: tuple[str, str, str]) -> None:
    resource, verb, name = permission
    rows = [row for row in PAGE.splitlines() if f"`{name or resource}`" in row and row.startswith("|")]
    assert any(re.search(rf"\b{verb}\b", row) for row in rows)


@pytest.mark.parametrize("permission", OPERATOR)
def test_it_lists_every_permission_of_influxdb(permission: str) -> None:
    assert f"`{permission}`" in PAGE
