"""Flux of users on a real InfluxDB: whatever it says, it reads the buckets of its policy and does nothing else."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from servers import InfluxServer
from servers.client import CallFailed, Client
from tests.integration.influx_store.conftest import InfluxWorld
from tests.integration.influx_store.hostile_flux import HOSTILE, POSTS

from nodetide_core.alerts.model import Reading
from nodetide_core.errors import StoreRejected, StoreUnavailable
from nodetide_core.store import Stream
from nodetide_core.stores.influx.caller import Caller, connect
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.flux_reads import PACKAGES
from nodetide_core.stores.influx.query_tokens import GivenToken, QueryTokens, ReaderTokens
from nodetide_core.stores.influx.store import InfluxStore
from nodetide_core.stores.influx.tokens import GRACE
from nodetide_core.tiers import DEFAULT_TIERS, Tiers

pytestmark = pytest.mark.peer

Worlds = Callable[[], AbstractContextManager[InfluxWorld]]
OURS, THEIRS = Stream("ours", "ours"), Stream("theirs", "theirs")
HERE = 'from(bucket: "ours") |> range(start: -1h)'
THERE = HERE.replace("ours", "theirs")


@dataclass
class Site:
    """An organization with the buckets of two policies, a point in each, and a token that may do everything."""

    world: InfluxWorld
    server: InfluxServer
    caller: Caller
    control: Control
    now: int

    def streams(self, *streams: Stream) -> None:
        store = InfluxStore(self.config)
        store.ensure(streams)
        store.close()

    @property
    def config(self) -> StoreConfig:
        return replace(self.world.config, token=lambda: self.server.token)

    def renew(self, tokens: ReaderTokens, *streams: Stream) -> tuple[str, ...]:
        return tokens.renew(self.control, "here", streams, self.control.observe(), self.now)

    def flux(self, tokens: QueryTokens, bucket: str, text: str) -> list[Reading]:
        store = InfluxStore(self.config, flux_tokens=tokens)
        try:
            return list(asyncio.run(store.flux(bucket, text)))
        finally:
            store.close()

    def raw(self, text: str, token: str) -> str:
        """A query as anybody can ask it."""
        headers = {"Authorization": f"Token {token}", "Accept": "application/csv"}
        path = f"/api/v2/query?orgID={self.world.org_id}"
        return str(Client(self.server.url).call("POST", path, {"query": text, "type": "flux"}, headers=headers))

    def made(self) -> dict[str, dict[str, Any]]:
        """Tokens for queries, by their ids."""
        found = self.server.call("GET", f"/api/v2/authorizations?orgID={self.world.org_id}")["authorizations"]
        mine = "Nodetide makes this token: here "
        return {item["id"]: item for item in found if item["description"].startswith(mine)}

    def id_of(self, bucket: str) -> str:
        return self.control.buckets()[bucket].id


@pytest.fixture
def site(worlds: Worlds, influx_server: InfluxServer) -> Iterator[Site]:
    with worlds() as world:
        caller = connect(replace(world.config, token=lambda: influx_server.token), 30.0)
        made = Site(world, influx_server, caller, Control(caller, world.config.org), int(time.time()))
        made.streams(OURS, THEIRS)
        for number, bucket in enumerate(("ours", "theirs")):
            path = f"/api/v2/write?orgID={world.org_id}&bucket={bucket}&precision=s"
            influx_server.call("POST", path, f"mem,host={bucket} used_percent={number}.5 {made.now}")
        yield made
        for id in made.made():
            influx_server.call("DELETE", f"/api/v2/authorizations/{id}")
        caller.end()


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """An address on loopback, and the paths that were asked for there."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", heard
    server.shutdown()
    thread.join(30)
    server.server_close()


def test_whatever_a_hostile_query_says_it_is_refused_and_nothing_leaves_or_changes(
    site: Site, listener: tuple[str, list[str]]
) -> None:
    url, heard = listener
    ids = {name: site.id_of(name) for name in ("ours", "theirs")}
    told = {"url": url, "here": HERE, "org": site.world.org_id, **ids}
    token = site.server.token
    # That InfluxDB does as such a query says: else nothing here would show anything.
    site.raw(POSTS.format(**told), token)
    assert heard == ["/posted"]
    all_there_is = f'{HERE} |> drop(columns: ["_start", "_stop"])'
    before = site.raw(all_there_is, token)
    heard.clear()
    store = InfluxStore(site.config, flux_tokens=GivenToken(lambda: token))
    passed = []
    try:
        for text in HOSTILE:
            wrong = asyncio.run(store.check_flux(text.format(**told)))
            try:
                asyncio.run(store.flux("ours", text.format(**told)))
            except StoreRejected as error:
                if wrong is not None and str(error) == f"flux: {wrong}":
                    continue
            passed.append(text)
    finally:
        store.close()
    assert passed == []
    assert heard == []
    assert site.raw(all_there_is, token) == before


def test_harmless_queries_are_not_refused(site: Site) -> None:
    tokens = ReaderTokens()
    site.renew(tokens, OURS)
    for text in (
        HERE,
        f"package main\n{HERE}",
        'b = "ours"\nf = (name) => from(bucket: name) |> range(start: -1h)\nf(name: b)',
        f'import s "strings"\nimport "date"\n{HERE} |> map(fn: (r) => ({{r with to: s["toUpper"](v: r.host), '
        "_value: float(v: date.hour(t: r._time)) * 0.0 + 0.5}))",
        f'option now = () => 2100-01-01T00:00:00Z\nx = {{a: true, "b": [1.0, -2.0], c: ["k": 0.5]}}\n'
        f'y = {{x with d: if x.a and not false then "${{string(v: x.b[0])}}!" else "-"}}\n'
        'f = (tables=<-, n=0.5) => {\n  z = n\n  return tables |> map(fn: (r) => ({r with _value: z}))\n}\n'
        f"{HERE.replace('-1h', '0')} |> f() |> filter(fn: (r) => r.host =~ /^o/ and exists r._value or y.a)",
        'union(tables: [from(bucket: "ours") |> range(start: -1h), from(bucket: "ours-5m") |> range(start: -1h)])',
    ):  # fmt: skip
        found = site.flux(tokens, "ours", text)
        assert [(dict(reading.tags)["host"], reading.value) for reading in found] == [("ours", 0.5)], text


def test_all_packages_that_may_be_imported_are_there(site: Site) -> None:
    tokens = ReaderTokens()
    site.renew(tokens, OURS)
    text = "\n".join(f'import p{number} "{path}"' for number, path in enumerate(sorted(PACKAGES)))
    assert site.flux(tokens, "ours", f"{text}\n{HERE}")


def test_what_rights_alone_do_not_stop(site: Site) -> None:
    """Why queries are looked at: InfluxDB asks for no right to a bucket that is named by its id."""
    tokens = ReaderTokens()
    site.renew(tokens, OURS)
    token = tokens.of("ours")
    assert "1.5" in site.raw(f'from(bucketID: "{site.id_of("theirs")}") |> range(start: -1h)', token)
    for text in (f'{HERE} |> to(bucket: "ours")', THERE, f'{HERE} |> to(bucketID: "{site.id_of("theirs")}")'):
        with pytest.raises(CallFailed):
            site.raw(text, token)


def test_a_query_reads_what_its_policy_has_and_nothing_of_others(site: Site) -> None:
    tokens = ReaderTokens()
    done = site.renew(tokens, OURS, THEIRS)
    assert sorted(done) == ["made token ours", "made token theirs"]
    assert [r.value for r in site.flux(tokens, "ours", HERE)] == [0.5]
    assert [r.value for r in site.flux(tokens, "theirs", THERE)] == [1.5]
    for bucket, text in (("ours", THERE), ("theirs", HERE), ("ours", THERE.replace("theirs", "_monitoring"))):
        with pytest.raises(StoreRejected, match=r"could not find bucket .*; it may read the buckets of its own policy"):
            site.flux(tokens, bucket, text)
    ids = {name: seen.id for name, seen in site.control.buckets().items()}
    rights = {
        item["description"].split("/")[1].split(" ")[0]: {
            (one["action"], one["resource"]["id"]) for one in item["permissions"]
        }
        for item in site.made().values()
    }
    assert rights == {
        stream.bucket: {("read", ids[tier.bucket(stream.bucket)]) for tier in stream.tiers.tiers}
        for stream in (OURS, THEIRS)
    }


def test_nothing_is_written_where_nothing_changes_and_all_goes_with_its_policy(site: Site) -> None:
    tokens = ReaderTokens()
    site.renew(tokens, OURS, THEIRS)
    before = site.made()
    assert site.renew(tokens, OURS, THEIRS) == ()
    assert site.made() == before
    (gone,) = [id for id, item in before.items() if "/theirs " in item["description"]]
    assert site.renew(tokens, OURS) == (f"deleted token {gone}",)
    with pytest.raises(StoreRejected, match="it has not been made yet"):
        tokens.of("theirs")
    assert len(site.renew(tokens)) == 1
    assert site.made() == {}


def test_a_token_that_is_revoked_disabled_or_of_an_influxdb_of_before_is_made_anew(site: Site) -> None:
    missed: list[bool] = []
    tokens = ReaderTokens(lambda: missed.append(True))
    site.renew(tokens, OURS)
    (id,) = site.made()
    site.server.call("DELETE", f"/api/v2/authorizations/{id}")
    with pytest.raises(StoreRejected, match="the token of the query is refused: another is being made"):
        site.flux(tokens, "ours", HERE)
    assert missed == [True]
    assert site.renew(tokens, OURS) == ("made token ours",)
    assert site.flux(tokens, "ours", HERE)
    (id,) = site.made()
    site.server.call("PATCH", f"/api/v2/authorizations/{id}", {"status": "inactive"})
    assert site.renew(tokens, OURS) == ("made token ours",)
    assert site.flux(tokens, "ours", HERE)
    # As after a restore: the bucket is another, of the same name.
    site.server.call("DELETE", f"/api/v2/buckets/{site.id_of('ours')}")
    site.streams(OURS, THEIRS)
    assert "made token ours" in site.renew(tokens, OURS)
    assert site.flux(tokens, "ours", HERE) == []
    site.now += GRACE + 60
    site.renew(tokens, OURS)
    assert len(site.made()) == 1


def test_the_buckets_of_a_changed_policy_are_read_at_once(site: Site) -> None:
    few = replace(OURS, tiers=Tiers((DEFAULT_TIERS.raw,)), allow_data_loss=True)
    site.streams(few, THEIRS)
    tokens = ReaderTokens()
    site.renew(tokens, few)
    with pytest.raises(StoreRejected, match=r"could not find bucket"):
        site.flux(tokens, "ours", 'from(bucket: "ours-5m") |> range(start: -1h)')
    site.streams(OURS, THEIRS)
    assert site.renew(tokens, OURS) == ("made token ours",)
    assert site.flux(tokens, "ours", 'from(bucket: "ours-5m") |> range(start: -1h)') == []


def test_of_one_restart_after_the_other_no_tokens_pile_up(site: Site) -> None:
    for _ in range(6):
        tokens = ReaderTokens()
        assert site.renew(tokens, OURS)
        assert site.flux(tokens, "ours", HERE)
        site.now += GRACE // 2
        site.renew(tokens, OURS)
    assert len(site.made()) <= 3
    site.now += 2 * GRACE
    site.renew(tokens, OURS)
    assert len(site.made()) == 1
    assert site.flux(tokens, "ours", HERE)


def test_what_another_installation_has_made_stays(site: Site) -> None:
    other = ReaderTokens()
    other.renew(site.control, "elsewhere", [THEIRS], site.control.observe(), site.now)
    tokens = ReaderTokens()
    site.renew(tokens, OURS)
    site.renew(tokens)
    assert [r.value for r in site.flux(other, "theirs", THERE)] == [1.5]
    other.renew(site.control, "elsewhere", [], site.control.observe(), site.now)


def test_where_no_token_can_be_made_it_is_said_and_the_wide_one_is_not_used(site: Site) -> None:
    """As with an upkeep that may not make any."""
    token = site.world.token_for("read write", "buckets tasks", see_org=True)
    caller = connect(replace(site.config, token=lambda: token), 30.0)
    tokens = ReaderTokens()
    with pytest.raises(StoreUnavailable, match="does not allow it"):
        tokens.renew(Control(caller, site.world.config.org), "here", [OURS], site.control.observe(), site.now)
    caller.end()
    with pytest.raises(StoreRejected, match="may read the policy's buckets and nothing else: make") as told:
        site.flux(tokens, "ours", HERE)
    assert token not in str(told.value)
    # What a person says, counts.
    bucket = {"type": "buckets", "id": site.id_of("theirs"), "orgID": site.world.org_id}
    asked = [{"action": "read", "resource": bucket}]
    path = "/api/v2/authorizations"
    made = site.server.call("POST", path, {"orgID": site.world.org_id, "permissions": asked})["token"]
    given = GivenToken(lambda: made)
    assert [r.value for r in site.flux(given, "ours", THERE)] == [1.5]
    with pytest.raises(StoreRejected, match=r"could not find bucket .*; NODETIDE_FLUX_TOKEN may not read it"):
        site.flux(given, "ours", HERE)
    with pytest.raises(StoreRejected, match="the token of the query is refused: check NODETIDE_FLUX_TOKEN"):
        site.flux(GivenToken(lambda: "wrong"), "ours", HERE)
    with pytest.raises(StoreRejected, match="NODETIDE_FLUX_TOKEN is empty"):
        site.flux(GivenToken(lambda: ""), "ours", HERE)
