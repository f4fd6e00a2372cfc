"""How long to wait after failures."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.backoff import Backoff

CHANCE = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 10_000), CHANCE)
def test_waits_are_never_nothing_and_never_beyond_the_longest(failures: int, chance: float) -> None:
    backoff = Backoff(least=0.25, first=1, longest=30)
    assert 0.25 <= backoff.delay(failures, chance) <= 30


def test_the_bound_doubles_and_chance_covers_all_of_it() -> None:
    backoff = Backoff(least=0, first=1, longest=30)
    assert [backoff.delay(failures, 0.5) for failures in (1, 2, 3, 5, 6, 99)] == [0.5, 1, 2, 8, 15, 15]
    assert backoff.delay(5, 0) == 0


@given(st.floats(0, 300), CHANCE)
def test_what_the_server_asks_for_is_waited_with_some_spreading(asked: float, chance: float) -> None:
    assert max(asked, 0.25) <= Backoff().delay(1, chance, asked) <= asked + 1


def test_an_absurd_wish_is_not_followed() -> None:
    assert Backoff(longest=30).delay(1, 0.5, 10**9) <= 301
