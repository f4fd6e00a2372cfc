"""What InfluxDB says of checks and rules that fail, and what is told of it."""

from __future__ import annotations

import pytest

from nodetide_core.stores.influx.caller import Caller
from nodetide_core.stores.influx.checks.keeping import ChecksKeeper, Planned
from nodetide_core.stores.influx.checks.marking import Mark
from nodetide_core.stores.influx.checks.observed import Observed, SeenCheck, SeenRule
from nodetide_core.stores.influx.checks.sealing import Secret
from nodetide_core.stores.influx.checks.wanted import Check, Endpoint, Rule, Wanted
from nodetide_core.stores.influx.http import Transport

SECRET = "https://hooks.example/services/T0/aBcDeFgHiJkLmNoPqRsTuVwX"


def troubles(failure: str, *, of: str = "rule") -> list[str]:
    wanted = Wanted(
        Mark("b", "me", "b"),
        (Check("nodetide b A", "A", ""),),
        (Endpoint("nodetide b chat", {}, "token", Secret(SECRET)),),
        (Rule("nodetide b chat 10s crit", "nodetide b chat", "slack", 10, (), ("crit",)),),
    )
    observed = Observed(
        [SeenCheck("1", "nodetide b A", "", "", True, failure if of == "check" else "")],
        [],
        [SeenRule("2", "nodetide b chat 10s crit", "", True, "3", {}, failure if of == "rule" else "")],
    )
    keeper = ChecksKeeper(Caller(Transport("http://nowhere.invalid"), lambda: ""), lambda: "org")
    return [str(trouble) for trouble in keeper.keep(Planned(wanted, ()), observed).troubles]


def test_what_fails_is_told_by_name_and_not_at_any_length() -> None:
    (told,) = troubles('could not find bucket "x" ' + "y" * 1_000, of="check")
    assert told.startswith('alert A: InfluxDB fails to evaluate it: could not find bucket "x" yyy')
    assert len(told) < 600
    (told,) = troubles("no such host")
    assert told == "notification rule nodetide b chat 10s crit: InfluxDB fails to run it: no such host"


@pytest.mark.parametrize(
    "said",
    [
        f'error calling function "post" @slack/slack.flux|102: Post "{SECRET}": unsupported protocol scheme ""',
        'error calling function "post" @slack/slack.flux|102: parse "/services/T0/of-yesterday-aBcDeF": odd',
        f"x {SECRET} y",
        f"{'x' * 480}{SECRET}",
    ],
)
def test_the_address_of_a_webhook_is_not(said: str) -> None:
    (told,) = troubles(said)
    for part in ("aBcDe", "services", "yesterday"):
        assert part not in told
    assert "***" in told
    if "post" in said:
        assert 'error calling function "post" @slack/slack.flux|102' in told
