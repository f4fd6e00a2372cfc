"""Whatever single lines do to InfluxDB, all others get there, and what doesn't is reported once."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodetide_core.stores.influx.packed import Packed, pack
from nodetide_core.stores.influx.settling import Settling
from nodetide_core.stores.influx.verdict import Kind, Verdict


class Influxd:
    """What a line says is what it does: ``ok``, ``bad`` (unparsable), ``mute`` (unparsable, but not named),
    ``old`` (dropped) or ``poison`` (the server fails over it)."""

    def __init__(self, *, most_lines: int = 10**6) -> None:
        self.taken: list[bytes] = []
        self.most_lines = most_lines
        self.down = False
        self.requests = 0

    def answer(self, body: bytes) -> Verdict:
        self.requests += 1
        lines = unzip(body).splitlines(keepends=True)
        if len(lines) > self.most_lines:
            return Verdict(Kind.TOO_LARGE, "HTTP 413")
        bad = [line for line in lines if line.startswith(b"bad")]
        mute = [line for line in lines if line.startswith(b"mute")]
        if bad or mute:
            named = "\n".join(f"unable to parse '{line[:-1].decode()}': bad it is" for line in bad)
            return Verdict(Kind.REJECTED, named or "unable to parse 'something'")
        if self.down or any(line.startswith(b"poison") for line in lines):
            return Verdict(Kind.FAILED, "HTTP 500")
        good = [line for line in lines if not line.startswith(b"old")]
        self.taken += good
        if len(good) < len(lines):
            return Verdict(Kind.PARTIAL, "too old", dropped=len(lines) - len(good))
        return Verdict(Kind.SENT)


def unzip(data: bytes) -> bytes:
    found = b""
    while data:
        member = zlib.decompressobj(31)
        found += member.decompress(data)
        data = member.unused_data
    return found


def packed(lines: Iterable[bytes], size: int = 7) -> list[Packed]:
    all_lines = list(lines)
    return [
        pack(b"".join(all_lines[at : at + size]), len(all_lines[at : at + size]))
        for at in range(0, len(all_lines), size)
    ]


def settle(settling: Settling, server: Influxd, *, at_most: int) -> list[str]:
    rejected = []
    while not settling.done:
        settling.settle(server.answer(settling.body()))
        for one in settling.take_rejected():
            rejected += [one.reason] * one.count
        assert server.requests <= at_most
    return rejected


KINDS = st.sampled_from(["ok"] * 12 + ["bad", "mute", "old", "poison"])


@given(st.lists(KINDS, min_size=2, max_size=60), st.integers(1, 60))
def test_good_lines_get_there_and_bad_ones_are_reported(kinds: list[str], most: int) -> None:
    kinds.append("ok")  # a line over which InfluxDB fails is only known as such beside one that it takes
    lines = [f"{kind} n={number}\n".encode() for number, kind in enumerate(kinds)]
    server = Influxd(most_lines=most)
    settling = Settling(packed(lines))
    kept = [line for line in lines if line.startswith(b"ok")]
    rejected = settle(settling, server, at_most=4_000)
    assert sorted(set(server.taken)) == sorted(kept)
    assert settling.written == len(kept)
    assert len(rejected) == len(lines) - len(kept)


@pytest.mark.parametrize("poison", [0, 1, 31, 62, 63])
def test_a_line_over_which_influxdb_fails_is_found_among_others(poison: int) -> None:
    lines = [f"{'poison' if number == poison else 'ok'} n={number}\n".encode() for number in range(64)]
    server = Influxd()
    settling = Settling(packed(lines))
    rejected = settle(settling, server, at_most=100)
    assert settling.written == 63
    assert len(rejected) == 1
    assert f"poison n={poison}" in rejected[0] and "HTTP 500" in rejected[0]


def test_a_server_that_fails_over_everything_condemns_nothing() -> None:
    lines = [f"ok n={number}\n".encode() for number in range(64)]
    server = Influxd()
    settling = Settling(packed(lines))
    server.down = True
    narrowed = 0
    for _ in range(500):
        settling.settle(server.answer(settling.body()))
        narrowed += settling.narrowing
    assert settling.take_rejected() == []
    assert 0 < narrowed < 500
    server.down = False
    assert settle(settling, server, at_most=600) == []
    assert settling.written == 64


@given(st.lists(st.booleans(), max_size=200))
def test_a_server_that_comes_and_goes_by_itself_condemns_nothing_unless_by_rare_chance(down: list[bool]) -> None:
    """It takes seven answers in exactly alternating order over one line to be condemned."""
    lines = [f"ok n={number}\n".encode() for number in range(8)]
    server = Influxd()
    settling = Settling(packed(lines))
    answers = [*down, False]  # it is up in the end, which may be the seventh of them
    alternating = any(
        answers[at : at + 7] == [False, True, False, True, False, True, False] for at in range(len(answers) - 6)
    )
    for server.down in down:
        if settling.done:
            break
        settling.settle(server.answer(settling.body()))
    if not alternating:
        assert settling.take_rejected() == []
    server.down = False
    settle(settling, server, at_most=400)
    assert set(server.taken) == set(lines) or alternating


def test_all_bad_lines_cost_few_requests() -> None:
    lines = [f"bad n={number}\n".encode() for number in range(3_000)]
    server = Influxd()
    assert len(settle(Settling(packed(lines)), server, at_most=2)) == 3_000


@pytest.mark.parametrize("kind", [Kind.BUSY, Kind.DENIED, Kind.REFUSED])
def test_waiting_changes_nothing(kind: Kind) -> None:
    settling = Settling(packed([b"ok n=1\n"]))
    before = settling.body()
    settling.settle(Verdict(kind))
    assert settling.untouched and settling.body() == before and not settling.done


def test_a_line_with_a_newline_stays_whole() -> None:
    line = b'ok s="a\nb"\n'
    settling = Settling([pack(line, 1), pack(b"bad n=1\n", 1)])
    settling.settle(Verdict(Kind.REJECTED, "unable to parse 'bad n=1': no"))
    assert unzip(settling.body()) == line
    (rejected,) = settling.take_rejected()
    assert rejected.count == 1 and rejected.reason.startswith("no (line: 'bad n=1'")


def test_a_line_that_is_too_large_even_alone_is_given_up() -> None:
    settling = Settling(packed([b"ok n=1\n", b"ok n=2\n"]))
    rejected = settle(settling, Influxd(most_lines=0), at_most=3)
    assert len(rejected) == 2 and "HTTP 413" in rejected[0] and "ok n=1" in rejected[0]


@pytest.mark.parametrize("kind", [Kind.BUSY, Kind.DENIED, Kind.REFUSED])
def test_a_trial_goes_on_where_it_was_interrupted(kind: Kind) -> None:
    server = Influxd()
    settling = Settling(packed(f"{'poison' if number == 5 else 'ok'} n={number}\n".encode() for number in range(16)))
    rejected = []
    for turn in range(200):
        if settling.done:
            break
        settling.settle(Verdict(kind) if turn % 2 else server.answer(settling.body()))
        rejected += settling.take_rejected()
    assert settling.done and settling.written == 15
    assert [one.count for one in rejected] == [1]


def test_a_line_that_fails_alone_is_kept_and_may_be_sent_with_others() -> None:
    server = Influxd()
    settling = Settling(packed([b"poison n=1\n"]))
    untouched = 0
    for _ in range(50):
        settling.settle(server.answer(settling.body()))
        untouched += settling.untouched
    assert not settling.done and settling.take_rejected() == []
    assert untouched >= 10
