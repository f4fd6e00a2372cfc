"""The keeper on a real InfluxDB, its clock moved by the test: what people break is mended, and told once."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from servers import InfluxServer, influxd
from tests.contracts.store_contract import Clock
from tests.integration.influx_cli.switch import Outage, Switch

from nodetide.keeping import Keeper
from nodetide.vault import FileVault
from nodetide_collector.policies import PolicySource
from nodetide_core.policy import Policy
from nodetide_core.stores.influx.caller import connect
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.store import InfluxStore

pytestmark = pytest.mark.peer

DAY = 86_400
TIERS = {"raw": "24h", "5m": "7d", "1h": "30d"}
Write = Callable[..., Path]


class Kept:
    """A keeper whose minute is over when the test says so.

    Attributes:
        now: Unix seconds, of tokens; the real time at first.
    """

    def __init__(self, url: str, org: str, token: str, path: Path | None, tokens: Path | None) -> None:
        config = StoreConfig(url, org, lambda: token, timeout=60.0)
        self.now = Clock(int(time.time()))
        self._minutes = Clock(0)
        self._store = InfluxStore(config)
        self._caller = connect(config, 60.0)
        vault = None if tokens is None else FileVault(tokens)
        self.follow: Callable[[Sequence[Policy]], None] = lambda policies: None
        self.keeper = Keeper(
            PolicySource(path),
            self._store,
            Control(self._caller, org),
            vault,
            on_policies=self._tell,
            clock=self.now,
            monotonic=self._minutes,
        )

    def turn(self, *, later: bool = True) -> bool:
        self._minutes.now += 60 if later else 1
        return self.keeper.turn()

    def _tell(self, policies: Sequence[Policy]) -> None:
        self.follow(policies)

    def close(self) -> None:
        self._store.close()
        self._caller.end()


@pytest.fixture
def keep(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[..., Kept]]:
    caplog.set_level(logging.INFO)
    made: list[Kept] = []

    def make(*arguments: Any) -> Kept:
        made.append(Kept(*arguments))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def kept(org: Any, policy: Write, tmp_path: Path, keep: Callable[..., Kept]) -> Kept:
    """One policy ``p``, with tokens, set up."""
    path = policy("p", tiers=TIERS)
    found = keep(org.server.url, org.name, org.token, path, tmp_path / "tokens")
    assert found.turn()
    return found


def token(tmp_path: Path, name: str = "api") -> str:
    return (tmp_path / "tokens" / name / "token").read_text()


def told(caplog: pytest.LogCaptureFixture, least: int = logging.WARNING) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= least]


def test_what_is_changed_by_hand_is_mended_within_a_minute(
    kept: Kept, org: Any, caplog: pytest.LogCaptureFixture
) -> None:
    tasks, buckets, retentions = org.tasks(), org.buckets(), org.retentions()
    org.call("DELETE", f"/api/v2/tasks/{tasks['nodetide p-5m']['id']}")
    org.call("PATCH", f"/api/v2/tasks/{tasks['nodetide p-1h']['id']}", {"status": "inactive"})
    rules = [{"type": "expire", "everySeconds": DAY, "shardGroupDurationSeconds": DAY}]
    org.call("PATCH", f"/api/v2/buckets/{buckets['p-1h']['id']}", {"retentionRules": rules})
    assert kept.turn(later=False), "it has not looked yet"
    assert "nodetide p-5m" not in org.tasks()
    assert kept.turn()
    assert org.retentions() == retentions
    mended = org.tasks()
    assert {name: (task["flux"], task["status"]) for name, task in mended.items()} == {
        name: (task["flux"], task["status"]) for name, task in tasks.items()
    }
    assert told(caplog) == []


def test_who_follows_policies_is_told_when_their_buckets_are_there(
    org: Any, policy: Write, keep: Callable[..., Kept], tmp_path: Path
) -> None:
    policy("p", tiers={"raw": "24h"}, file="policies/p.yaml")
    kept = keep(org.server.url, org.name, org.token, tmp_path / "policies", None)
    followed: list[tuple[list[str], set[str]]] = []
    kept.follow = lambda policies: followed.append(([policy.name for policy in policies], set(org.buckets())))
    for _ in range(3):
        kept.turn()
    policy("q", tiers={"raw": "24h"}, file="policies/q.yaml")
    for _ in range(3):
        kept.turn()
    assert followed == [(["p"], {"p"}), (["p", "q"], {"p", "q"})]


def test_a_bucket_deleted_by_hand_comes_back_and_the_token_is_for_the_new_one(
    kept: Kept, org: Any, tmp_path: Path
) -> None:
    before = token(tmp_path), token(tmp_path, "collector")
    org.call("DELETE", f"/api/v2/buckets/{org.buckets()['p-5m']['id']}")
    assert not kept.turn(later=False), "rolling up misses it"
    assert kept.turn(later=False), "which is reason enough to look at once"
    assert token(tmp_path) != before[0]
    assert token(tmp_path, "collector") == before[1]
    org.query("p-5m", "SELECT used FROM mem", token(tmp_path))


@pytest.mark.parametrize("how", ["revoked", "disabled", "file deleted", "file of another token", "file emptied"])
def test_a_token_that_is_lost_is_replaced_and_the_one_before_works_on_for_a_while(
    kept: Kept, org: Any, tmp_path: Path, how: str
) -> None:
    before, other = token(tmp_path), token(tmp_path, "collector")
    (id,) = [id for id, item in org.tokens().items() if "/api " in item["description"]]
    file = tmp_path / "tokens/api/token"
    if how == "revoked":
        org.call("DELETE", f"/api/v2/authorizations/{id}")
    elif how == "disabled":
        org.call("PATCH", f"/api/v2/authorizations/{id}", {"status": "inactive"})
    elif how == "file deleted":
        file.unlink()
    else:
        file.write_text(org.token if how == "file of another token" else "")
    assert kept.turn(later=False)
    kept.turn()
    after = token(tmp_path)
    assert after not in (before, org.token, "")
    org.query("p", "SELECT used FROM mem", after)
    if how.startswith("file"):
        kept.now.now += 500
        kept.turn()
        org.query("p", "SELECT used FROM mem", before)  # for whoever has not read the new one yet
    kept.now.now += 700
    assert kept.turn()
    assert len(org.tokens()) == 2
    assert (token(tmp_path), token(tmp_path, "collector")) == (after, other)
    org.query("p", "SELECT used FROM mem", org.token)


def test_an_edited_policy_is_followed_and_a_wrong_or_refused_one_is_not(
    kept: Kept, org: Any, policy: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = policy("p", tiers={**TIERS, "1d": "365d"})
    before = token(tmp_path), token(tmp_path, "collector")
    assert kept.turn(later=False), "an edit is followed at once"
    assert "nodetide p-1d" in org.tasks()
    assert token(tmp_path) != before[0], "the API may read the new tier, too"
    assert token(tmp_path, "collector") == before[1]
    org.query("p-1d", "SELECT used FROM mem", token(tmp_path))
    assert told(caplog) == []
    path.write_text("spec: {}")
    assert not kept.turn(later=False)
    assert not kept.turn(later=False)
    assert [text.split(" path=")[0] for text in told(caplog)] == ["policies not applied, the former ones go on"]
    assert "nodetide p-1d" in org.tasks()
    caplog.clear()
    policy("p", tiers={"raw": "24h"})
    for _ in range(3):
        assert not kept.turn(later=False)
    (said,) = told(caplog)
    assert said.startswith("policy p: ") and 'nodetide.io/allow-data-loss: "true"' in said
    assert set(org.buckets()) == {"p", "p-5m", "p-1h", "p-1d"}
    org.query("p-1d", "SELECT used FROM mem", token(tmp_path))  # the former tiers are still there to be read
    policy("p", tiers={"raw": "24h"}, lose=True)
    assert kept.turn(later=False)
    assert (set(org.buckets()), set(org.tasks())) == ({"p"}, set())


def test_an_outage_is_told_when_it_begins_and_when_it_ends(
    org: Any, keep: Callable[..., Kept], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Switch(org.server.port) as switch:
        kept = keep(switch.url, org.name, org.token, None, tmp_path / "tokens")
        switch.fail(Outage.REFUSED)
        for _ in range(3):
            assert not kept.turn()
        where = f"127.0.0.1:{switch.port}: Connection refused"
        began = [f"policy system-metrics: {where}", f"tokens: {where}", f"store upkeep fails: {where}"]
        assert told(caplog) == began
        switch.mend()
        assert kept.turn(later=False), "what failed is tried at the next turn"
        ended = told(caplog, logging.INFO)[len(began) :]
        assert ended == [
            "policy system-metrics: works again", "made token collector", "made token api", "tokens: works again",
            "store upkeep works again",
        ]  # fmt: skip
        switch.fail(Outage.CUT)
        assert not kept.turn()
        switch.mend()
        assert kept.turn(later=False)
        assert len(org.tokens()) == 2


def test_what_nobody_foresaw_is_told_and_the_rest_goes_on(
    org: Any, keep: Callable[..., Kept], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as a server that gives JSON of another kind; here, a vault."""

    class Vault:
        def held(self, name: str) -> str | None:
            raise LookupError(name)

        def keep(self, name: str, token: str) -> None:
            raise NotImplementedError

    kept = keep(org.server.url, org.name, org.token, None, None)
    kept.keeper._vault = Vault()
    for _ in range(2):
        assert not kept.turn()
    assert told(caplog) == ["tokens: LookupError: collector"]
    assert len(org.tasks()) == 3


def test_an_influxdb_set_up_anew_is_kept_as_the_one_before(
    needs_parts: Callable[..., None], keep: Callable[..., Kept], tmp_path: Path
) -> None:
    """Whose data was lost: all ids are others then, the organization's too."""
    needs_parts("influxd")
    with influxd(tmp_path / "influxd", options=["--log-level=error"]) as server:
        kept = keep(server.url, server.org, server.token, None, tmp_path / "tokens")
        assert kept.turn()
        before, former = token(tmp_path), server.org_id
        wipe(server)
        assert server.org_id != former
        assert kept.turn(later=False), "there is nothing to roll up, and nothing wrong yet"
        assert kept.turn()
        found = server.call("GET", f"/api/v2/buckets?orgID={server.org_id}")["buckets"]
        assert {"system-metrics", "system-metrics-1d"} <= {bucket["name"] for bucket in found}
        assert len(server.call("GET", f"/api/v2/tasks?orgID={server.org_id}")["tasks"]) == 3
        made = server.call("GET", f"/api/v2/authorizations?orgID={server.org_id}")["authorizations"]
        assert token(tmp_path) != before
        assert any(item["token"] == token(tmp_path) for item in made)


def wipe(server: InfluxServer) -> None:
    server.stop()
    shutil.rmtree(server.data)
    server.data.mkdir()
    server.org_id = ""
    server.start()
    server.set_up()
