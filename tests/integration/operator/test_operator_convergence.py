"""Whatever people, accidents and the operator do in whatever order, it ends where the policies say."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from tests.integration.operator.expected import (
    BY_HAND,
    OTHERS,
    Wanted,
    check_influx,
    check_kubernetes,
    check_tokens,
    mine,
)
from tests.integration.operator.inside import Inside, inside
from tests.integration.operator.kube import SETTINGS, policy_path
from tests.integration.operator.site import Site, spec

from nodetide_core.store import Stream
from nodetide_core.stores.influx.ownership import describe_part, describe_stream
from nodetide_core.stores.influx.tokens import describe_token
from nodetide_core.tiers import Tier, Tiers

pytestmark = pytest.mark.peer

GRACE = 700
NAMES = st.sampled_from(["a", "b", "c"])
SPECS = st.sampled_from(
    [
        {"raw": "24h"},
        {"raw": "24h", "5m": "7d"},
        {"raw": "3d", "5m": "7d"},
        {"raw": "24h", "5m": "14d", "1h": "30d"},
        {"raw": "24h", "10m": "0"},
    ]
)
_marks = itertools.count()


class Machine(RuleBasedStateMachine):
    """What is done to the cluster and to InfluxDB, and what must be there once the operator has looked."""

    site: Site

    def __init__(self) -> None:
        super().__init__()
        self._entered = inside(self.site)
        self.operator: Inside = self._entered.__enter__()
        self.specs: dict[str, dict[str, Any]] = {}
        #: Policies that InfluxDB is known to hold just so.
        self.settled: set[str] = set()
        #: Buckets that a policy has ever had while its points were to stay, and those that must still be there.
        self.may_stay: dict[str, set[str]] = {}
        self.must_stay: dict[str, set[str]] = {}
        self.bystanders = _make_bystanders(self.site)

    @initialize()
    def begin(self) -> None:
        """With something that can go wrong."""
        self.applies("a", {"raw": "24h", "5m": "14d", "1h": "30d"}, False, "1s")
        self.applies("b", {"raw": "24h", "5m": "7d"}, True, "1s")
        self.the_operator_looks()

    # People

    @rule(name=NAMES, tiers=SPECS, delete=st.booleans(), interval=st.sampled_from(["1s", "5s"]))
    def applies(self, name: str, tiers: Mapping[str, str], delete: bool, interval: str) -> None:
        wanted = spec(tiers, delete=delete, collection={"interval": interval})
        self.site.apply(name, wanted, allow_data_loss="true")
        self.specs[name] = wanted
        self.settled.discard(name)
        self.must_stay.pop(name, None)
        if not delete:
            self.may_stay.setdefault(name, set()).update(_buckets(name, wanted))

    @precondition(lambda self: self.specs)
    @rule(data=st.data())
    def deletes(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.specs)))
        self.site.delete(name)
        had = self.specs.pop(name)
        if name in self.settled:
            stays = had["storage"].get("deletionPolicy") != "Delete"
            self.must_stay[name] = _buckets(name, had) if stays else set()
            self.may_stay[name] = set(self.must_stay[name])

    # Accidents

    @precondition(lambda self: self.site.org.buckets())
    @rule(data=st.data(), what=st.sampled_from(["retention", "description", "deleted"]))
    def somebody_touches_a_bucket(self, data: st.DataObject, what: str) -> None:
        buckets = {
            name: bucket for name, bucket in self.site.org.buckets().items()
            if bucket["description"].startswith("Nodetide") and name.partition("-")[0] in self.specs
        }  # fmt: skip
        if not buckets:
            return
        name = data.draw(st.sampled_from(sorted(buckets)))
        # Where a bucket's description is gone nothing tells whether points were to stay, so they do.
        policy = name.partition("-")[0]
        self.settled.discard(policy)
        self.may_stay.setdefault(policy, set()).update(bucket for bucket in buckets if bucket.startswith(policy))
        path = f"/api/v2/buckets/{buckets[name]['id']}"
        if what == "deleted":
            self.site.org.call("DELETE", path)
        elif what == "retention":
            rule = {"type": "expire", "everySeconds": 7_200, "shardGroupDurationSeconds": 3_600}
            self.site.org.call("PATCH", path, {"retentionRules": [rule]})
        else:
            self.site.org.call("PATCH", path, {"description": ""})

    @precondition(lambda self: self.site.org.tasks())
    @rule(data=st.data(), what=st.sampled_from(["flux", "renamed", "inactive", "doubled", "deleted"]))
    def somebody_touches_a_task(self, data: st.DataObject, what: str) -> None:
        tasks = {
            task["id"]: task
            for task in self.site.org.tasks()
            if task["description"].startswith("Nodetide") and mine(task["name"])
        }
        if not tasks:
            return
        task = tasks[data.draw(st.sampled_from(sorted(tasks)))]
        path = f"/api/v2/tasks/{task['id']}"
        flux = task["flux"]
        if what == "deleted":
            self.site.org.call("DELETE", path)
        elif what == "inactive":
            self.site.org.call("PATCH", path, {"status": "inactive"})
        elif what == "doubled":
            copy = {key: task[key] for key in ("orgID", "flux", "description", "status")}
            self.site.org.call("POST", "/api/v2/tasks", copy)
        elif what == "renamed":
            self.site.org.call("PATCH", path, {"flux": flux.replace(task["name"], f"mine {next(_marks)}", 1)})
        else:
            self.site.org.call("PATCH", path, {"flux": f"{flux}\n{BY_HAND} {next(_marks)}\n"})

    @precondition(lambda self: self.site.org.tokens())
    @rule(data=st.data(), what=st.sampled_from(["inactive", "revoked"]))
    def somebody_touches_a_token(self, data: st.DataObject, what: str) -> None:
        ids = sorted(
            token["id"] for token in self.site.org.tokens() if f" {self.site.namespace}/" in token["description"]
        )
        if not ids:
            return
        path = f"/api/v2/authorizations/{data.draw(st.sampled_from(ids))}"
        if what == "revoked":
            self.site.org.call("DELETE", path)
        else:
            self.site.org.call("PATCH", path, {"status": "inactive"})

    @rule(what=st.sampled_from(["collector", "api"]), how=st.sampled_from(["changed", "deleted"]))
    def somebody_touches_a_secret(self, what: str, how: str) -> None:
        self._touch(f"secrets/nodetide-token-{what}", how, {"data": {"token": "bm9uZQ=="}})

    @rule(how=st.sampled_from(["changed", "deleted", "more"]))
    def somebody_touches_the_settings(self, how: str) -> None:
        patch = {"data": {"settings.json": "{}"}} if how == "changed" else {"data": {"more": "x"}}
        self._touch(f"configmaps/{SETTINGS}", how, patch)

    def _touch(self, what: str, how: str, patch: Mapping[str, Any]) -> None:
        path = f"/api/v1/namespaces/{self.site.namespace}/{what}"
        if self.site.kube.find(path) is None:
            return
        if how == "deleted":
            self.site.kube.call("DELETE", path)
        else:
            self.site.kube.call("PATCH", path, patch)

    # The operator

    @rule(calls=st.integers(0, 60))
    def the_operator_is_killed(self, calls: int) -> None:
        if not self.operator.turn_until_killed(calls):
            self._check(settled=False)

    @rule()
    def the_operator_restarts(self) -> None:
        self.operator.restart()

    @rule()
    def the_operator_looks(self) -> None:
        self.operator.turn()
        self._check(settled=False)

    @rule()
    def time_passes(self) -> None:
        self.operator.turn()
        self.operator.now += GRACE
        self.operator.turn()
        self._check(settled=True)

    def teardown(self) -> None:
        try:
            self.time_passes()
            assert _bystanders(self.site) == self.bystanders
        finally:
            self._entered.__exit__(None, None, None)
            self.site.kube.call("DELETE", policy_path(self.site.namespace))
            self.site.org.clear()

    def _check(self, *, settled: bool) -> None:
        wanted = [Wanted.of(name, item) for name, item in self.specs.items()]
        present = set(self.site.org.buckets())
        assert set().union(*self.must_stay.values()) <= present
        check_influx(self.site, wanted, left=present & set().union(*self.may_stay.values()))
        check_tokens(self.site, wanted, settled=settled)
        check_kubernetes(self.site, wanted)
        self.site.ready(*self.specs, patience=0)
        self.settled = set(self.specs)


def _buckets(name: str, spec: Mapping[str, Any]) -> set[str]:
    return {tier.bucket for tier in Wanted.of(name, spec).all()}


_FLUX = """option task = {name: "NAME", every: 1h}

from(bucket: "others") |> range(start: -1h) |> to(bucket: "others-1h")
"""


def _make_bystanders(site: Site) -> Any:
    """What is somebody else's: nobody's at all, or another installation's."""
    stream = Stream(OTHERS, OTHERS, Tiers((Tier("raw", 0, 86_400), Tier("1h", 3_600, 0))), 1, owner="elsewhere")
    part = describe_part(OTHERS, "elsewhere")
    buckets = {"plain others": "", OTHERS: describe_stream(stream), "others-1h": part}
    ids = {name: site.org.make_bucket(name, description) for name, description in buckets.items()}
    for name, description in {"plain others": "", "nodetide others-1h": part}.items():
        task = {"orgID": site.org.id, "flux": _FLUX.replace("NAME", name), "description": description}
        site.org.call("POST", "/api/v2/tasks", task)
    for description in ("plain others", describe_token("elsewhere", "collector", "abcdef")):
        rights = [{"action": "write", "resource": {"type": "buckets", "id": ids[OTHERS], "orgID": site.org.id}}]
        asked: dict[str, Any] = {"orgID": site.org.id, "description": description, "permissions": rights}
        site.org.call("POST", "/api/v2/authorizations", asked)
    return _bystanders(site)


def _bystanders(site: Site) -> Any:
    """As InfluxDB has them, to the last word."""
    buckets = {name: bucket for name, bucket in site.org.buckets().items() if not mine(name)}
    tasks = {task["id"]: task for task in site.org.tasks() if not mine(task["name"])}
    tokens = {token["id"]: token for token in site.org.tokens() if f" {site.namespace}/" not in token["description"]}
    assert (len(buckets), len(tasks), len(tokens)) == (3, 2, 2)
    return buckets, tasks, tokens


@pytest.mark.slow
def test_any_sequence_ends_as_the_policies_say(site: Site) -> None:
    Machine.site = site
    # On real servers it takes minutes to make a failure smaller; for that, add Phase.shrink.
    untimed = settings(
        phases=[Phase.generate],
        max_examples=8,
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    run_state_machine_as_test(Machine, settings=untimed)
