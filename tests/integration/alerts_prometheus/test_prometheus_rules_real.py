"""The real Prometheus, on our own /metrics, beside the engine on the same store: both fire at the same times."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
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

pytestmark = [pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(900)]

EVERY, SCRAPE, LASTS = 2, 1, 62
#: A series with a sample for each evaluation.
EVALUATED = "evaluated"
#: Seconds by which the two may differ: an evaluation, a scrape before it, and the second that a sample is of.
SLACK = EVERY + SCRAPE + 1
#: Seconds by which somebody may come too late before the two see different timelines; and how often it is played until
#: nobody does.
LATE, PLAYS = 1.0, 4
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


def scraping(url: str, *rules: Path) -> Mapping[str, Any]:
    target = {"job_name": "nodetide", "static_configs": [{"targets": [urlsplit(url).netloc]}]}
    return {
        "global": {"scrape_interval": f"{SCRAPE}s", "scrape_timeout": f"{SCRAPE}s"},
        "rule_files": list(map(str, rules)),
        "scrape_configs": [target],
    }


def play(store: EmbeddedStore, evaluator: Evaluator, policy: Policy) -> tuple[int, float, Episodes]:
    """Has the engine evaluate while a timeline is written, and gives when it began, the longest that it was away, and
    what it found."""
    start = int(time.time()) + 1
    found: Episodes = {}
    written = start - 1
    before, away = float(start), 0.0
    while (now := time.time()) < start + LASTS:
        before, away = now, max(away, now - before)
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
    return start, away, found


def lateness(server: HttpServer, start: int) -> float:
    """By how much a scrape or an evaluation of Prometheus's ever came too late."""
    found = 0.0
    for name, every in (("up", SCRAPE), (EVALUATED, EVERY)):
        told = server.call("GET", f"/api/v1/query?query={name}[{LASTS + 60}s]")["data"]["result"]
        samples = [(float(at), value) for series in told for at, value in series["values"]]
        times = [at for at, value in samples if value == "1" and start < at < start + LASTS]
        # It looks for targets every five seconds, and in the first eight of a play nothing happens.
        begun = [] if times and times[0] < start + 8 else [start + 8.0]
        found = max(found, *(after - at - every for at, after in pairwise([*begun, *times, start + LASTS])))
    return found


def fired(server: HttpServer, start: int) -> Episodes:
    """What Prometheus wrote down about its own rules."""
    query = quote(f'ALERTS{{alertstate="firing"}}[{LASTS + 60}s]')
    found: Episodes = {}
    for series in server.call("GET", f"/api/v1/query?query={query}")["data"]["result"]:
        labels = series["metric"]
        times = [float(at) - start for at, _ in series["values"]]
        episodes = found.setdefault((labels["alertname"], labels["severity"], labels["host"]), [])
        began = times[0]
        for before, after in zip(times, [*times[1:], math.inf], strict=True):
            if after - before > EVERY + LATE + 0.5:
                ends = before + EVERY
                episodes.append((began, ends if ends < LASTS - EVERY else math.inf))
                began = after
    return found


def test_prometheus_fires_when_the_engine_does(
    tmp_path: Path, needs_parts: Callable[..., None], policy: Callable[..., Policy]
) -> None:
    needs_parts("prometheus")
    for number in range(PLAYS):
        late, engine, theirs = both(tmp_path / str(number), policy)
        if late <= LATE:
            break
    else:
        pytest.skip(f"this machine is too busy: somebody came {late:.1f} s too late in each of {PLAYS} plays")
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
            assert ours == other or abs(ours - other) <= SLACK + LATE, (key, episodes, theirs[key])


def both(folder: Path, policy: Callable[..., Policy]) -> tuple[float, Episodes, Episodes]:
    """Of one play, by how much anybody came too late, and what the engine and Prometheus found."""
    folder.mkdir()
    made = policy(*ALERTS)
    # Faster than policies may ask for, so that this ends within a minute.
    made = replace(made, alerts=tuple(replace(alert, every=EVERY) for alert in made.alerts))
    rules, beside = folder / "rules.yaml", folder / "beside.yaml"
    rules.write_text(rule_file([policy_rules(made)]))
    tells = {"name": "tells", "interval": f"{EVERY}s", "rules": [{"record": EVALUATED, "expr": "vector(1)"}]}
    beside.write_text(json.dumps({"groups": [tells]}))  # which is YAML
    store = EmbeddedStore.open(folder / "store")
    store.ensure([made.stream])
    evaluator = Evaluator(store, store)
    try:
        with api(store) as url, prometheus(folder / "prometheus", scraping(url, rules, beside)) as server:
            start, away, engine = play(store, evaluator, made)
            return max(away, lateness(server, start)), engine, fired(server, start)
    finally:
        evaluator.close()
        store.close()
