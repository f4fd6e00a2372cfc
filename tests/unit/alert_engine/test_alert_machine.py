"""The machine, against a reference that looks at the whole past each time."""

from __future__ import annotations

from dataclasses import astuple, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.alert_engine.reference_machine import Look, state_of

from nodetide_core.alerts.machine import HOLD, Absence, Seen, advance, due, forgettable, was_reached
from nodetide_core.alerts.model import AlertState, Phase

_KINDS = st.sampled_from(["reached", "reached", "left", "left", "nothing", "nothing", "gone"])


@st.composite
def histories(draw):
    """Evaluations every 30 s, some missed, and some in between."""
    looks, at, asked_since = [], 1_000_000, 1_000_000
    for kind in draw(st.lists(_KINDS, min_size=1, max_size=25)):
        gap = draw(st.sampled_from([30, 30, 30, 30, 7, 60, 330]))
        at += gap
        asked_since = at if gap > 30 else asked_since
        looks.append(Look(at, kind, draw(st.integers(0, 9)), asked_since))
    return looks


def observation(look):
    if look.kind in ("reached", "left"):
        return Seen(look.kind == "reached", look.value)
    return Absence.NO_DATA if look.kind == "nothing" else Absence.NODE_GONE


@settings(max_examples=1_000, deadline=None)
@given(history=histories(), for_=st.sampled_from([0, 30, 45, 90]), keep=st.sampled_from([0, 30, 50, 120]))
def test_it_stands_where_the_whole_past_says(history, for_, keep):
    state = AlertState()
    for count, look in enumerate(history, 1):
        # Nothing else than its state may count: it comes back from a store at every moment.
        state = AlertState(*astuple(state))
        state = advance(
            state, observation(look), look.at, for_=for_, keep_firing_for=keep, asked_since=look.asked_since
        )
        expected = state_of(history[:count], for_, keep)
        if state.phase is Phase.INACTIVE:  # of which the last value is of no meaning
            state = replace(state, seen=0, value=0.0)
        assert state == expected


@given(history=histories(), for_=st.sampled_from([0, 30, 45]), keep=st.sampled_from([0, 30, 50]))
def test_looking_more_often_before_a_step_is_due_changes_no_phase(history, for_, keep):
    state = AlertState()
    for look in history:
        state = advance(
            state, observation(look), look.at, for_=for_, keep_firing_for=keep, asked_since=look.asked_since
        )
        step = due(state, for_=for_, keep_firing_for=keep)
        if step is not None and step > look.at:
            seen = Seen(was_reached(state), state.value)
            again = advance(state, seen, step - 1, for_=for_, keep_firing_for=keep) if step - 1 > look.at else state
            assert again.phase is state.phase
            assert advance(state, seen, step, for_=for_, keep_firing_for=keep).phase is not state.phase


@pytest.mark.parametrize("absence", [Absence.NODE_GONE, Absence.SUSPENDED, Absence.REMOVED])
def test_whose_cause_is_gone_ends_at_once(absence):
    for phase, fired in ((Phase.PENDING, 0), (Phase.FIRING, 100)):
        state = AlertState(phase, 100, fired, 0, 100, 1.0)
        after = advance(state, absence, 101, for_=60, keep_firing_for=600)
        assert (after.phase, after.fired, after.left) == (Phase.INACTIVE, fired, 101 if fired else 0)
    assert advance(AlertState(), absence, 101, for_=0, keep_firing_for=0) == AlertState()


def test_silence_that_nobody_could_hear_is_no_lack_of_data():
    firing = AlertState(Phase.FIRING, 100, 100, 0, 100, 1.0)
    back = 100 + 10 * HOLD
    held = advance(firing, Absence.NO_DATA, back, for_=0, keep_firing_for=0, asked_since=back)
    assert held == firing
    later = back + HOLD
    assert advance(held, Absence.NO_DATA, later, for_=0, keep_firing_for=0, asked_since=back).phase is Phase.INACTIVE


class TestAClockThatWasSetBack:
    """By a year, after a state had come of the wrong time."""

    NOW, AHEAD = 1_000_000, 1_000_000 + 365 * 86_400

    def advance(self, state, observation, at, **times):
        return advance(state, observation, at, **{"for_": 60, "keep_firing_for": 60, **times})

    def test_what_was_pending_fires(self):
        pending = self.advance(AlertState(), Seen(True, 1.0), self.AHEAD)
        pending = self.advance(pending, Seen(True, 1.0), self.NOW)
        assert self.advance(pending, Seen(True, 1.0), self.NOW + 60).phase is Phase.FIRING

    def test_what_was_kept_firing_ends(self):
        left = AlertState(Phase.FIRING, self.AHEAD - 90, self.AHEAD - 30, self.AHEAD, self.AHEAD, 1.0)
        left = self.advance(left, Seen(False, 0.0), self.NOW)
        ended = self.advance(left, Seen(False, 0.0), self.NOW + 60)
        assert (ended.phase, ended.fired, ended.left) == (Phase.INACTIVE, self.NOW, self.NOW + 60)

    def test_what_has_no_data_ends(self):
        firing = AlertState(Phase.FIRING, self.AHEAD, self.AHEAD, 0, self.AHEAD, 1.0)
        held = self.advance(firing, Absence.NO_DATA, self.NOW)
        assert held.phase is Phase.FIRING
        assert self.advance(held, Absence.NO_DATA, self.NOW + HOLD).phase is Phase.INACTIVE

    def test_what_has_ended_is_forgotten(self):
        ended = AlertState(Phase.INACTIVE, 0, self.AHEAD, self.AHEAD + 60, self.AHEAD, 1.0)
        assert not forgettable(ended, self.NOW + 10_000)
        assert forgettable(self.advance(ended, Absence.NO_DATA, self.NOW), self.NOW + 10_000)

    def test_a_little_is_none(self):
        """A look at everything may have been made after the time of the evaluation that is made now."""
        for phase in Phase:
            state = AlertState(phase, self.NOW, self.NOW + 3_600, self.NOW + 3_600, self.NOW, 1.0)
            assert self.advance(state, Absence.NO_DATA, self.NOW) == state


def test_an_end_is_remembered_for_a_while():
    ended = AlertState(Phase.INACTIVE, 0, 100, 200, 190, 1.0)
    assert not forgettable(ended, 200 + 899)
    assert forgettable(ended, 200 + 900)
    assert forgettable(AlertState(seen=100), 101)
    assert not forgettable(AlertState(Phase.PENDING, 100), 10_000)
