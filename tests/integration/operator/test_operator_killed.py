"""An operator that ends between any two calls of a server leaves nothing that the next one does not put right."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.operator.expected import Wanted, check_influx, check_kubernetes, check_tokens
from tests.integration.operator.inside import Inside, inside
from tests.integration.operator.site import Site, spec

pytestmark = pytest.mark.peer

#: Seconds after which replaced tokens are gone.
GRACE = 700
ONE, OTHER = spec({"raw": "24h", "5m": "7d"}), spec({"raw": "2d", "5m": "8d", "1h": "30d"})
GONE = spec({"raw": "24h", "5m": "7d"}, delete=True)


@pytest.fixture
def operator(site: Site) -> Iterator[Inside]:
    with inside(site) as running:
        yield running


@pytest.mark.slow
def test_killed_before_any_one_call_the_next_operator_ends_where_it_should(site: Site, operator: Inside) -> None:
    """In each turn a policy is made, one is changed, and one deleted with its points."""
    site.apply("stays", ONE)
    site.apply("goes-0", GONE)
    operator.turn()
    calls, killed, wanted = 0, True, list[Wanted]()
    while killed:
        site.delete(f"goes-{calls}")
        site.apply(f"goes-{calls + 1}", GONE)
        tiers = OTHER if calls % 2 else ONE
        site.apply("stays", tiers, allow_data_loss="true")
        calls += 1
        killed = operator.turn_until_killed(calls)
        if killed:
            operator.turn()
        wanted = [Wanted.of("stays", tiers), Wanted.of(f"goes-{calls}", GONE)]
        check_influx(site, wanted)
        check_kubernetes(site, wanted)
        check_tokens(site, wanted, settled=False)
        site.ready("stays", f"goes-{calls}", patience=0)
    assert calls > 40, "not every call was one to be killed before"
    operator.now += GRACE
    operator.turn()
    check_tokens(site, wanted)


def test_killed_again_and_again_it_comes_to_an_end(site: Site, operator: Inside) -> None:
    """Each operator lives for some calls more than the one before."""
    site.apply("p", OTHER)
    site.apply("q", ONE)
    lives = 0
    while operator.turn_until_killed(3 * lives):
        lives += 1
    assert lives > 5
    wanted = [Wanted.of("p", OTHER), Wanted.of("q", ONE)]
    operator.now += GRACE
    operator.turn()
    check_influx(site, wanted)
    check_kubernetes(site, wanted)
    check_tokens(site, wanted)
    site.ready("p", "q", patience=0)
    for name in ("p", "q"):
        site.delete(name)
    lives = 0
    while operator.turn_until_killed(lives):
        lives += 1
    assert set(site.org.buckets()) == {"p", "p-5m", "p-1h", "q", "q-5m"}, "points stay"
    check_influx(site, [], left=site.org.buckets())
    check_tokens(site, [])
