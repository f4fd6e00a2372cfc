"""Any script of values, outages, restarts and missed turns: the evaluator stands where the reference says."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.alert_engine.reference_machine import Look, state_of

from nodetide_core.alerts.levels import holding, reaching
from nodetide_core.alerts.machine import was_reached
from nodetide_core.alerts.model import AlertState, Phase
from nodetide_core.errors import StoreUnavailable
from nodetide_core.points import make_tags

CPU = "cpu.usage_active"
EVERY = 30
_VALUES = st.one_of(st.none(), st.sampled_from([50, 82, 88, 92, 97]))
#: What happens before an evaluation, and what it finds of each host.
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["", "", "", "restart", "late", "store away", "disk full", "node gone"]), _VALUES, _VALUES
    ),
    min_size=1,
    max_size=30,
)


class Script:
    """What the evaluator is put through, and what each of its machines ought to have seen."""

    def __init__(self, bench, rules) -> None:
        self.bench, self.rules = bench, rules
        (self.alert,) = rules.alerts
        self.at = 0
        self.last = self.asked_since = -(10**6)
        self.past = {(severity, host): [] for severity in self.alert.levels for host in "ab"}
        self.told = {name: AlertState() for name in self.past}

    def play(self, event, values) -> None:
        self.at += 12 * EVERY if event == "late" else EVERY
        if event == "restart":
            self.bench.restart()
            self.last = -(10**6)
        self.bench.store.values[CPU] = {host: value for host, value in values.items() if value is not None}
        self.bench.store.refused = {"": StoreUnavailable("away")} if event == "store away" else {}
        self.bench.store.unsaved = StoreUnavailable("full") if event == "disk full" else None
        hosts = {"p": {"a"}} if event == "node gone" else None
        before = self.live()
        report = self.bench.turn(self.at + 1, self.rules, hosts=hosts)
        self.take(report)
        if event == "node gone":
            self.gone()
        if event == "store away" or any(health.error for health in report.health.values()):
            # Nothing was learnt, and what cannot be saved has not happened.
            if event != "node gone":
                assert self.live() == before
            return
        self.learn(values, hosts)

    def live(self):
        records = self.bench.store.records["p"]
        return {key: record.state.phase for key, record in records.items() if record.state.phase is not Phase.INACTIVE}

    def learn(self, values, hosts) -> None:
        time = self.bench.epoch + self.at
        self.asked_since = self.asked_since if time - self.last <= EVERY else time
        self.last = time
        for (severity, host), past in self.past.items():
            value = None if hosts and host not in hosts["p"] else values[host]
            level = self.alert.levels[severity]
            test = holding(level) if was_reached(self.state(past)) else reaching(level)
            kind = "nothing" if value is None else "reached" if test(value) else "left"
            past.append(Look(time, kind, value, self.asked_since))

    def gone(self) -> None:
        for (_, host), past in self.past.items():
            if host == "b":
                past.append(Look(self.bench.epoch + self.at + 1, "gone", 0, self.asked_since))

    def state(self, past):
        return state_of(past, self.alert.for_, self.alert.keep_firing_for)

    def take(self, report) -> None:
        """Transitions are told once each, in order, and lead from one state to the next."""
        for change in report.transitions:
            name = (change.key.severity, dict(change.key.tags)["host"])
            assert change.before.phase is self.told[name].phase
            assert change.before.phase is not change.after.phase
            self.told[name] = change.after

    def check(self) -> None:
        now = self.bench.epoch + self.at
        records = self.bench.store.records["p"]
        for (severity, host), past in self.past.items():
            expected = self.state(past)
            key = next((k for k in records if k.severity == severity and k.tags == make_tags({"host": host})), None)
            state = records[key].state if key else AlertState()
            assert self.told[severity, host].phase is expected.phase
            assert state.phase is expected.phase
            assert state.since == expected.since
            # What ended long ago is forgotten.
            if expected.phase is Phase.FIRING or now - expected.left < 800:
                assert (state.fired, state.left) == (expected.fired, expected.left)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=_STEPS, for_=st.sampled_from(["0s", "30s", "90s"]), keep=st.sampled_from(["0s", "30s", "60s"]))
def test_it_stands_where_the_reference_says(bench, policy, cpu, steps, for_, keep):
    bench.store.__init__()
    bench.restart()
    levels = {"critical": {"above": 95, "recover": 85}, "warning": {"above": 90}}
    script = Script(bench, policy(cpu(**levels, **{"for": for_, "keepFiringFor": keep})))
    for event, a, b in steps:
        script.play(event, {"a": a, "b": b})
        script.check()
