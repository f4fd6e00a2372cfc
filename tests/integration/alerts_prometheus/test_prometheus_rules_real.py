"""The real Prometheus, on our own /metrics, beside the engine on the same store: both fire at the same times."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from servers import HttpServer, prometheus

from nodetide_api.app import create_app
from nodetide_api.config import ApiConfig
from nodetide_api.server import ApiServer, listen
from nodetide_core.alerts.evaluator import Evaluator
from nodetide_core.alerts.model import Phase
from nodetide_core.alerts.prometheus import policy_rules
from nodetide_core.alerts.prometheus_text import rule_file
from nodetide_core.points import Point, make_tags, tag
from nodetide_core.policy import Policy
from nodetide_core.stores.embedded.store import EmbeddedStore

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(180)]

EVERY, SCRAPE, LASTS = 2, 1, 62
#: Seconds by which the two may differ: an evaluation, a scrape before it, and the second that a sample is of.
SLACK = EVERY + SCRAPE + 1
#: By alert, severity and host, when it began and ended to fire, in seconds from the start; an open end is infinite.
Episodes = dict[tuple[str, str, str], list[tuple[float, float]]]

ALERTS: list[dict[str, Any]] = [
    {
        "name": "Held", "metric": "mem.used_percent", "aggregate": "last", "window": "4s", "for": "4s",
        "keepFiringFor": "6s", "critical": {"above": 90, "recover": 80},
    },
    {"name": "Low", "metric": "swap.used_percent", "window": "4s", "warning": {"below": 20}, "info": {"below": 5}},
    {"name": "Rate", "metric": "net.drop_in", "window": "4s", "groupBy": ["host"], "warning": {"above": 10}},
    {
        "name": "Fills", "metric": "disk.used_percent", "window": "6s", "predictAfter": "30s",
        "warning": {"above": 60},
    },
    {"name": "Silent", "type": "deadman", "metric": "system", "window": "6s"},
]  # fmt: skip


def played(second: int, now: int) -> list[Point]:
    """What two hosts say at a second of the play; b is silent from 12 s to 40 s."""
    memory = 50.0 if second < 10 else 95.0 if second < 22 else 85.0 if second < 32 else 70.0 if second < 46 else 85.0
    swap = 50.0 if second < 15 or second >= 30 else 10.0
    dropped = 20 * min(max(second - 18, 0), 20)
    filled = 10.0 + 2 * min(max(second - 20, 0), 20)
    found = [
        Point("mem", make_tags({"host": "a"}), {"used_percent": memory}, now),
        Point("swap", make_tags({"host": "a"}), {"used_percent": swap}, now),
        Point("net", make_tags({"host": "a", "interface": "eth0"}), {"drop_in": dropped}, now),
        Point("net", make_tags({"host": "a", "interface": "eth1"}), {"drop_in": 3 * second}, now),
        Point("disk", make_tags({"host": "a", "path": "/"}), {"used_percent": filled}, now),
        Point("system", make_tags({"host": "a"}), {"uptime": now}, now),
    ]
    if not 12 < second < 40:
        found.append(Point("system", make_tags({"host": "b"}), {"uptime": now}, now))
    return found


@contextmanager
def api(store: EmbeddedStore) -> Iterator[str]:
    server = ApiServer(create_app(store, ApiConfig()), listen("127.0.0.1", 0), graceful_timeout=30)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join(30)


def scraping(url: str, rules: Path) -> Mapping[str, Any]:
    target = {"job_name": "nodetide", "static_configs": [{"targets": [urlsplit(url).netloc]}]}
    return {
        "global": {"scrape_interval": f"{SCRAPE}s", "scrape_timeout": f"{SCRAPE}s"},
        "rule_files": [str(rules)],
        "scrape_configs": [target],
    }


def play(store: EmbeddedStore, evaluator: Evaluator, policy: Policy) -> tuple[int, Episodes]:
    """Has the engine evaluate while a timeline is written, and gives when it began and what it found."""
    start = int(time.time()) + 1
    found: Episodes = {}
    written = start - 1
    while (now := time.time()) < start + LASTS:
        for at in range(written + 1, int(now) + 1):
            store.write("p", played(at - start, at))
            written = at
        for step in evaluator.turn([policy], now).transitions:
            key = (step.key.alert, step.key.severity, tag(step.key.tags, "host") or "")
            if step.after.phase is Phase.FIRING and step.before.phase is not Phase.FIRING:
                found.setdefault(key, []).append((step.at - start, math.inf))
            elif step.before.phase is Phase.FIRING and step.after.phase is Phase.INACTIVE:
                found[key][-1] = (found[key][-1][0], step.at - start)
        time.sleep(0.1)
    return start, found


def fired(server: HttpServer, start: int) -> Episodes:
    """What Prometheus wrote down about its own rules."""
    query = quote(f'ALERTS{{alertstate="firing"}}[{LASTS + 10}s]')
    found: Episodes = {}
    for series in server.call("GET", f"/api/v1/query?query={query}")["data"]["result"]:
        labels = series["metric"]
        times = [float(at) - start for at, _ in series["values"]]
        episodes = found.setdefault((labels["alertname"], labels["severity"], labels["host"]), [])
        began = times[0]
        for before, after in zip(times, [*times[1:], math.inf], strict=True):
            if after - before > 1.5 * EVERY:
                ends = before + EVERY
                episodes.append((began, ends if ends < LASTS - EVERY else math.inf))
                began = after
    return found


def test_prometheus_fires_when_the_engine_does(
    tmp_path: Path, needs_parts: Callable[..., None], policy: Callable[..., Policy]
) -> None:
    needs_parts("prometheus")
    made = policy(*ALERTS)
    # Faster than policies may ask for, so that this ends within a minute.
    made = replace(made, alerts=tuple(replace(alert, every=EVERY) for alert in made.alerts))
    rules = tmp_path / "rules.yaml"
    rules.write_text(rule_file([policy_rules(made)]))
    store = EmbeddedStore.open(tmp_path / "store")
    store.ensure([made.stream])
    evaluator = Evaluator(store, store)
    try:
        with api(store) as url, prometheus(tmp_path / "prometheus", scraping(url, rules)) as server:
            start, engine = play(store, evaluator, made)
            theirs = fired(server, start)
    finally:
        evaluator.close()
        store.close()
    assert set(engine) == {
        ("Held", "critical", "a"),
        ("Low", "warning", "a"),
        ("Rate", "warning", "a"),
        ("Fills", "warning", "a"),
        ("Silent", "critical", "b"),
    }
    assert theirs.keys() == engine.keys()
    for key, episodes in engine.items():
        assert len(theirs[key]) == len(episodes) == 1, (key, episodes, theirs[key])
        for ours, other in zip(episodes[0], theirs[key][0], strict=True):
            assert ours == other or abs(ours - other) <= SLACK, (key, episodes, theirs[key])
