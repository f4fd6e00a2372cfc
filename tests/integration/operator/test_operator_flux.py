"""Alerts in Flux under the real operator: each policy's queries read what is that policy's, whatever happens."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest
from tests.integration.operator.site import Site, eventually, spec

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(300)]

TIERS = {"raw": "24h", "5m": "7d"}


def asking(bucket: str, more: str = "") -> dict[str, Any]:
    """A policy whose one alert asks for a bucket."""
    text = f'from(bucket: "{bucket}") |> range(start: -1h) |> filter(fn: (r) => r._measurement == "mem"){more}'
    alert = {"name": "asked", "type": "flux", "flux": text, "every": "5s", "critical": {"above": 1e6}}
    return spec(TIERS, alerts=[alert])


def readers(site: Site) -> dict[str, set[str]]:
    """Ids of the tokens for queries, by their policies' buckets."""
    found: dict[str, set[str]] = {}
    for token in site.org.tokens():
        _, mine, name = token["description"].partition(f"this token: {site.namespace} alerts/")
        if mine:
            found.setdefault(name.split(" ")[0], set()).add(token["id"])
            assert {item["action"] for item in token["permissions"]} == {"read"}
    return found


def evaluated(site: Site, *names: str) -> None:
    for name in names:
        site.comes_to(name, "AlertsReady", "True Evaluated")


def broken(site: Site, name: str, said: str) -> None:
    def look() -> None:
        found = site.condition(name, "AlertsReady")
        assert found["reason"] == "AlertsBroken" and said in found["message"], found

    eventually(lambda: look() is None, site.log)


def some_turns(site: Site) -> None:
    before = site.turns()
    eventually(lambda: site.turns() >= before + 3, site.log)


def test_each_policy_reads_its_own_and_its_token_comes_and_goes_with_it(site: Site) -> None:
    site.start(NODETIDE_RESYNC="1s")
    for name in ("ours", "theirs"):
        site.apply(name, asking(name))
        site.ready(name)
        site.org.write(name, f"mem,host={name} used_percent=1.0 {int(time.time())}")
    site.apply("plain", spec(TIERS))
    evaluated(site, "ours", "theirs")
    before = readers(site)
    assert {name: len(ids) for name, ids in before.items()} == {"ours": 1, "theirs": 1}
    ids = {name: bucket["id"] for name, bucket in site.org.buckets().items()}
    (ours,) = (token for token in site.org.tokens() if token["id"] in before["ours"])
    assert {item["resource"]["id"] for item in ours["permissions"]} == {ids["ours"], ids["ours-5m"]}
    # What is looked at again and again is not made again.
    some_turns(site)
    assert readers(site) == before

    site.apply("ours", asking("theirs"))
    broken(site, "ours", 'could not find bucket "theirs"; it may read the buckets of its own policy')
    site.apply("ours", asking("ours", ' |> to(bucket: "ours")'))
    broken(site, "ours", "'to' is nothing that the query of an alert may use")
    evaluated(site, "theirs")
    site.apply("ours", asking("ours"))
    evaluated(site, "ours")

    for id in before["ours"]:
        site.org.call("DELETE", f"/api/v2/authorizations/{id}")
    eventually(lambda: readers(site).get("ours", set()) - before["ours"], site.log)
    evaluated(site, "ours")

    # The next process knows none of them; it makes others, and what is left of them ends later.
    before = readers(site)
    site.stop(signal.SIGKILL)
    site.start(NODETIDE_RESYNC="1s")
    eventually(lambda: all(readers(site)[name] > ids for name, ids in before.items()), site.log)
    some_turns(site)
    evaluated(site, "ours", "theirs")

    site.delete("theirs")
    eventually(lambda: set(readers(site)) == {"ours"}, site.log)
    site.apply("ours", asking("ours") | {"suspend": True})
    eventually(lambda: readers(site) == {}, site.log)
    site.apply("ours", asking("ours"))
    evaluated(site, "ours")
    site.apply("ours", spec(TIERS))
    eventually(lambda: readers(site) == {}, site.log)
    assert site.org.token not in site.log()


def test_alerts_of_a_policy_that_is_wrong_now_keep_their_token(site: Site) -> None:
    site.start(NODETIDE_RESYNC="1s")
    site.apply("p", asking("p"))
    evaluated(site, "p")
    before = readers(site)
    # A space that only Unicode knows, which the definition takes.
    url = "http://127.0.0.1:9/\u00a0x"
    site.apply("p", asking("p") | {"notify": [{"name": "team", "type": "http", "url": url}]})
    site.comes_to("p", "Accepted", "False Invalid")
    some_turns(site)
    assert readers(site) == before
    site.comes_to("p", "AlertsReady", "True EvaluatedAsBefore")


def test_a_token_that_a_person_gives_is_used_instead_and_none_are_made(site: Site) -> None:
    site.start(NODETIDE_RESYNC="1s")
    for name in ("ours", "theirs"):
        site.apply(name, asking("theirs"))
        site.ready(name)
    broken(site, "ours", "could not find bucket")
    assert set(readers(site)) == {"ours", "theirs"}
    assert site.stop() == 0
    (site.folder / "flux-token").write_text(site.org.may("read buckets"))
    site.start(NODETIDE_RESYNC="1s", NODETIDE_FLUX_TOKEN_FILE=str(site.folder / "flux-token"))
    evaluated(site, "ours", "theirs")
    eventually(lambda: readers(site) == {}, site.log)
    assert (site.folder / "flux-token").read_text() not in site.log()


def test_an_influxdb_that_was_set_up_anew_gives_new_ones(site: Site) -> None:
    site.start(NODETIDE_RESYNC="1s")
    site.apply("p", asking("p"))
    evaluated(site, "p")
    for bucket in ("p", "p-5m"):
        site.org.call("DELETE", f"/api/v2/buckets/{site.org.buckets()[bucket]['id']}")
    for ids in readers(site).values():
        for id in ids:
            site.org.call("DELETE", f"/api/v2/authorizations/{id}")

    def whole() -> bool:
        mine = [token for token in site.org.tokens() if f"{site.namespace} alerts/p " in token["description"]]
        ids = {bucket["id"] for name, bucket in site.org.buckets().items() if name in ("p", "p-5m")}
        return len(ids) == 2 and ids in [{item["resource"]["id"] for item in one["permissions"]} for one in mine]

    eventually(whole, site.log)
    some_turns(site)
    evaluated(site, "p")
