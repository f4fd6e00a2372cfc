"""Alerts in Flux under `nodetide upkeep`: they read what is their policy's, or say why they read nothing."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.integration.influx_cli.conftest import KEEPING
from tests.integration.standalone.process import Nodetide, until

from nodetide.exits import Exit

pytestmark = pytest.mark.peer

Start = Callable[..., Nodetide]
#: Seconds, many more than any of it takes.
PATIENCE = 180.0


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """A file of policies, each with an alert that asks for the bucket that is named with it."""

    def make(asks: Mapping[str, str]) -> Path:
        documents = []
        for name, bucket in asks.items():
            text = (
                f'from(bucket: "{bucket}") |> range(start: -1h) |> filter(fn: (r) => r._measurement == "mem") |> last()'
            )
            alert = {"name": f"of-{name}", "type": "flux", "flux": text, "every": "5s", "critical": {"above": 0}}
            storage = {"tiers": [{"name": "raw", "retention": "24h"}]}
            documents.append(
                {"apiVersion": "nodetide.io/v1alpha1", "kind": "MetricPolicy", "metadata": {"name": name},
                 "spec": {"storage": storage, "alerts": [alert]}}
            )  # fmt: skip
        path = tmp_path / "policies.yaml"
        draft = path.with_name(".policies.yaml")
        draft.write_text("\n---\n".join(map(json.dumps, documents)))
        draft.replace(path)
        return path

    return make


def firing(org: Any, bucket: str) -> set[str]:
    """Alerts of which something is remembered."""
    rows = org.query(bucket, "SHOW TAG VALUES FROM nodetide_alert WITH KEY = alert")
    return {row["value"] for row in rows}


def queries(org: Any) -> set[str]:
    """The policies whose queries have a token."""
    found = {token["description"].partition(" alerts/")[2].split(" ")[0] for token in org.tokens().values()}
    return found - {""}


def test_each_policy_reads_its_own_and_without_a_token_directory_too(org: Any, start: Start, write: Any) -> None:
    path = write({"ours": "ours", "thief": "ours"})
    one = start(org.environment, "upkeep", "--policy", str(path))
    until(lambda: {"ours", "thief"} <= set(org.buckets()), PATIENCE, one.text)
    org.write("ours", f"mem,host=a used_percent=1 {int(time.time())}")
    until(lambda: firing(org, "ours") == {"of-ours"}, PATIENCE, one.text)
    until(
        lambda: 'could not find bucket "ours"; it may read the buckets of its own policy' in one.text(),
        PATIENCE,
        one.text,
    )
    assert firing(org, "thief") == set()
    assert queries(org) == {"ours", "thief"}
    assert not any("alert of-ours" in line and "ERROR" in line for line in one.text().splitlines())
    write({"ours": "ours"})
    until(lambda: queries(org) == {"ours"}, PATIENCE, one.text)
    assert one.end(signal.SIGTERM) == Exit.OK
    assert org.token not in one.text()


def test_where_it_may_make_no_tokens_it_says_so_and_reads_with_one_that_is_given(
    org: Any, start: Start, write: Any, tmp_path: Path
) -> None:
    path = write({"ours": "ours"})
    narrow = tmp_path / "narrow"
    narrow.write_text(org.may(*(right for right in KEEPING if "authorizations" not in right)))
    environment = {**org.environment, "INFLUXDB_TOKEN_FILE": str(narrow)}
    one = start(environment, "upkeep", "--policy", str(path))
    until(lambda: "ours" in org.buckets(), PATIENCE, one.text)
    org.write("ours", f"mem,host=a used_percent=1 {int(time.time())}")
    said = "there is no token that may read the policy's buckets and nothing else: make a token: HTTP"
    until(lambda: said in one.text(), PATIENCE, one.text)
    assert firing(org, "ours") == set()
    assert queries(org) == set()
    assert one.end(signal.SIGTERM) == Exit.OK
    given = tmp_path / "given"
    given.write_text(org.may(f"read buckets {org.buckets()['ours']['id']}"))
    two = start({**environment, "NODETIDE_FLUX_TOKEN_FILE": str(given)}, "upkeep", "--policy", str(path))
    until(lambda: firing(org, "ours") == {"of-ours"}, PATIENCE, two.text)
    assert two.end(signal.SIGTERM) == Exit.OK
    assert given.read_text() not in two.text() and narrow.read_text() not in one.text() + two.text()


def test_once_makes_none_and_leaves_those_that_there_are(org: Any, start: Start, run: Any, write: Any) -> None:
    path = write({"ours": "ours"})
    one = start(org.environment, "upkeep", "--policy", str(path))
    until(lambda: queries(org) == {"ours"}, PATIENCE, one.text)
    before = org.tokens()
    assert run(org.environment, "upkeep", "--once", "--policy", path).returncode == Exit.OK
    assert org.tokens() == before
    assert one.end(signal.SIGTERM) == Exit.OK
