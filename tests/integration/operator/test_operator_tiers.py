"""Hours of points, while now the operator, now InfluxDB is away: every tier is what one makes of the raw points."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.contracts.played_points import QUESTIONS, Reads, ask, assert_same_answers, make_points
from tests.contracts.reference_store import ReferenceStore
from tests.contracts.store_contract import roll
from tests.integration.operator.site import Site, eventually, spec

from nodetide_core.lineprotocol import Encoder
from nodetide_core.points import Point, tag
from nodetide_core.policy import API_VERSION, KIND, parse_policy
from nodetide_core.stores.embedded import EmbeddedStore
from nodetide_core.stores.influx.config import StoreConfig
from nodetide_core.stores.influx.store import InfluxStore
from nodetide_core.tiers import align_down

pytestmark = [pytest.mark.peer, pytest.mark.timeout(1800)]

HOUR = 3_600
HOURS = 6
SPEC = spec({"raw": "24h", "5m": "7d", "1h": "30d"}, bucket="b", collection={"interval": "10s"})


def test_across_backfill_every_tier_is_what_the_raw_points_make(site: Site, tmp_path: Path) -> None:
    dice = random.Random(7)
    end = align_down(int(time.time()) - HOUR // 2, HOUR)
    start = end - HOURS * HOUR
    points = list(make_points(start, dice, HOURS * HOUR, intervals=(10, 30, 60)))
    # Whole passes, as a collector's spool has them.
    passes = sorted({(point.time, tag(point.tags, "host")) for point in points if point.time < end - HOUR})
    chosen = {one for one in passes if dice.random() < 0.03}
    late = [point for point in points if (point.time, tag(point.tags, "host")) in chosen]
    in_time = [point for point in points if (point.time, tag(point.tags, "host")) not in chosen]
    parts = [
        [p for p in in_time if begin <= p.time - start < begin + 2 * HOUR] for begin in range(0, HOURS * HOUR, 2 * HOUR)
    ]
    site.apply("p", SPEC)

    # While the operator is there.
    site.start()
    site.ready("p")
    _write(site, parts[0])
    _rolled_up(site, parts[0])
    # While it is not; and InfluxDB is killed as it comes back.
    site.stop(signal.SIGKILL)
    _write(site, parts[1])
    site.start()
    site.org.server.kill()
    site.org.server.start()
    _rolled_up(site, parts[1])
    # Both in turn; and what comes late past every mark, once all was rolled up.
    site.stop()
    _write(site, parts[2])
    site.start()
    _rolled_up(site, parts[2])
    site.stop(signal.SIGKILL)
    _write(site, late)
    site.start()

    policy = parse_policy({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "p"}, "spec": SPEC})
    found = InfluxStore(StoreConfig(site.org.server.url, site.org.name, lambda: site.org.token))
    embedded, oracle = EmbeddedStore.open(tmp_path / "store"), ReferenceStore(time.time)
    try:
        for writer in (embedded, oracle):
            writer.ensure([policy.stream])
            for begin in range(0, len(points), 5_000):
                assert writer.write("b", points[begin : begin + 5_000]).rejected == ()
            roll(writer, int(time.time()))  # type: ignore[arg-type]
        eventually(lambda: _same([found, embedded, oracle], start, end), site.log, patience=400)
    finally:
        found.close()
        embedded.close()
    assert site.metric("nodetide_operator_turns_total", loop="rollup", outcome="failed") <= 1, site.log()


def _write(site: Site, points: Sequence[Point]) -> None:
    encoder = Encoder()
    for begin in range(0, len(points), 5_000):
        site.org.write("b", "\n".join(encoder.lines(points[begin : begin + 5_000])))


def _rolled_up(site: Site, points: Sequence[Point]) -> None:
    """Wait until the operator says so, and it is."""
    last = max(align_down(point.time, 300) for point in points)
    where = f"time = {last}s"
    eventually(
        lambda: site.org.query("b-5m", f'SELECT "load1_count" FROM "system" WHERE {where}'), site.log, patience=400
    )
    site.comes_to("p", "DownsamplingUpToDate", "True UpToDate", patience=400)


def _same(stores: Sequence[Reads], start: int, end: int) -> bool:
    policy = parse_policy({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "p"}, "spec": SPEC})
    for tier in policy.storage.tiers.tiers:
        for question in QUESTIONS:
            for aggregate in question.aggregates:
                mine, *others = (
                    ask(store, "b", tier, question, aggregate, start=start, stop=end, step=max(tier.window, 10))
                    for store in stores
                )
                assert mine
                for theirs in others:
                    assert_same_answers(mine, theirs, question.scale)
    return True
