"""What collectors report of themselves, as a real influxd answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from tests.integration.influx_store.conftest import InfluxWorld

from nodetide_core.errors import StoreRejected
from nodetide_core.store import Stream
from nodetide_core.stores.influx.caller import connect
from nodetide_core.stores.influx.reports import CollectorReport, collector_reports

pytestmark = pytest.mark.peer

Worlds = Callable[[], AbstractContextManager[InfluxWorld]]


def test_the_newest_report_of_each_host_is_told(worlds: Worlds) -> None:
    with worlds() as world:
        stream = Stream("p", "reported")
        world.open().ensure([stream])
        now = world.epoch
        caller = connect(world.config, 60.0)

        def write(*lines: str) -> None:
            path = f"/api/v2/write?org={world.config.org.replace(' ', '%20')}&bucket=reported&precision=s"
            caller.send("POST", path, "\n".join(lines).encode(), doing="writing")

        def report(host: str, age: int, told: str, over: str = "", group: str = "all", more: str = "") -> str:
            fields = f'policy_hash="{told}",success=1i' + (f",over_budget={over}i" if over else "")
            return f"collector,group={group},host={host}{more} {fields} {now - age}"

        write(
            report("a", 90, "old", "7"), report("a", 30, "new", "0"), report("a", 10, "of a group", group="cpu"),
            report("b", 60, "old", "12", more=",pool=x"), report("b", 50, "new", "3", more=",pool=y"),
            report("silent", 500, "new"), report("of\\ an\\ older\\ version", 20, "new"),
            f'collector,group=all policy_hash="nobody\'s",success=1i {now}',
            f"collector,group=all,host=hashless success=1i {now}",
            f"mem,host=busy used_percent=1 {now}",
        )  # fmt: skip
        try:
            assert collector_reports(caller, stream, now - 300) == {
                "a": CollectorReport(now - 30, "new", 0),
                "b": CollectorReport(now - 50, "new", 3),
                "of an older version": CollectorReport(now - 20, "new", 0),
            }
            assert world.open().reports(stream, now - 600).keys() == {"a", "b", "of an older version", "silent"}
            with pytest.raises(StoreRejected):
                collector_reports(caller, Stream("p", 'not"there'), now)
        finally:
            caller.end()
