"""Which buckets hold anything, of a real influxd."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from servers import influxd

from nodetide_core.stores.influx.caller import connect
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.filled import filled

pytestmark = pytest.mark.peer


def test_those_that_hold_something_are_found_among_many(tmp_path: Path, needs_parts: Callable[..., None]) -> None:
    needs_parts("influxd")
    with influxd(tmp_path) as server:
        org = server.call("GET", f"/api/v2/orgs?org={server.org}")["orgs"][0]["id"]
        names = [f"b ${{{number}}} 'ü" for number in range(120)]
        for name in names:
            server.call("POST", "/api/v2/buckets", {"orgID": org, "name": name, "retentionRules": []})
        now = int(time.time())
        written = {names[0]: now, names[60]: 1, names[119]: now + 86_400}  # long ago, and yet to come
        for name, at in written.items():
            bucket = server.call("GET", "/api/v2/buckets?" + urlencode({"name": name}))["buckets"][0]["id"]
            server.call("POST", f"/api/v2/write?orgID={org}&bucket={bucket}&precision=s", f"result,host=a error=1 {at}")
        caller = connect(StoreConfig(server.url, server.org, lambda: server.token), 60)
        try:
            assert set(filled(caller, server.org, names)) == written.keys()
            # One that is not there counts as filled, and hides nothing of the others.
            assert set(filled(caller, server.org, [*names, "gone"])) == {*written, "gone"}
        finally:
            caller.end()
