"""Counting sockets by state."""

from __future__ import annotations

import contextlib
import dataclasses
import struct
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.hosts import pieces
from tests.fixtures.hosts.tree import Shape, make_host, write_tree

from nodetide_collector.probe import Request
from nodetide_collector.probes._sock_diag import count_messages, sees_host
from nodetide_collector.probes._tcp_table import count_states
from nodetide_collector.probes.netstat import NetstatProbe

states = st.lists(st.integers(1, 11), max_size=200)


def _lines(table: str) -> bytes:
    return table.encode().partition(b"\n")[2]


@given(states, st.sampled_from([0, 9_990, 99_950]))
def test_the_table_is_counted_as_it_reads(found: list[int], first: int) -> None:
    """Line numbers past 9999 push the columns to the right, in the middle of a block."""
    counts: Counter[int] = Counter()
    assert count_states(_lines(pieces.tcp(found, first)), counts) == 0
    assert counts == Counter(found)
    counts.clear()
    assert count_states(_lines(pieces.tcp6(found)), counts) == 0
    assert counts == Counter(found)


@given(states, st.integers(0, 30_000), st.binary(min_size=1, max_size=8))
def test_damage_spoils_only_its_own_lines(found: list[int], at: int, damage: bytes) -> None:
    table = _lines(pieces.tcp(found))
    at = min(at, len(table))
    damaged = table[:at] + damage + table[at + len(damage) :]
    counts: Counter[int] = Counter()
    count_states(damaged, counts)
    # A line at most before, one behind, and one for each newline of the damage.
    assert (Counter(found) - counts).total() <= 2 + damage.count(b"\n")


def test_ten_thousand_connections_are_counted_through_blocks(tmp_path: Path) -> None:
    found = [1, 6, 8, 10] * 3_000
    write_tree(tmp_path, {"proc/1/net/tcp": pieces.tcp(found), "proc/1/net/tcp6": pieces.tcp6([1] * 3_000)})
    write_tree(tmp_path, {"proc/1/net/udp": pieces.udp(4_000)})
    reading = NetstatProbe(make_host(tmp_path, Shape({}))).read(Request())
    fields = reading.samples[0].fields
    assert fields["tcp_established"] == 6_000
    assert fields["tcp_time_wait"] == fields["tcp_close_wait"] == fields["tcp_listen"] == 3_000
    assert fields["udp_socket"] == 4_000


def _message(kind: int, state: int, extra: int = 0) -> bytes:
    body = struct.pack("=BB", 2, state) + bytes(70 + extra)
    return (struct.pack("=IHHII", 16 + len(body), kind, 2, 1, 0) + body).ljust((16 + len(body) + 3) & ~3, b"\0")


@given(st.lists(st.tuples(st.integers(1, 11), st.integers(0, 9)), min_size=1, max_size=50))
def test_messages_are_counted_by_state(sockets: list[tuple[int, int]]) -> None:
    data = b"".join(_message(18, state, extra) for state, extra in sockets)
    counts: Counter[int] = Counter()
    assert count_messages(data, counts) is False
    assert counts == Counter(state for state, _ in sockets)
    assert count_messages(_message(3, 0), counts) is True


@given(st.binary(max_size=200))
def test_other_answers_are_errors(data: bytes) -> None:
    with contextlib.suppress(OSError):
        count_messages(data, Counter())


def test_an_error_of_the_kernel_says_which() -> None:
    with pytest.raises(PermissionError):
        count_messages(struct.pack("=IHHIIi", 36, 2, 0, 1, 0, -13) + bytes(16), Counter())


def test_the_dump_serves_only_where_it_shows_the_host(tmp_path: Path) -> None:
    write_tree(tmp_path, {"proc/1/net/tcp": pieces.tcp([1, 1]), "proc/self/net/tcp": pieces.tcp([6])})
    host = make_host(tmp_path, Shape({}))

    def dump() -> Counter[int]:
        return Counter({10: 7})

    assert not sees_host(host)
    assert NetstatProbe(host, dump).read(Request()).samples[0].fields["tcp_established"] == 2
    # One and the same file: one namespace.
    (tmp_path / "proc/self/net/tcp").unlink()
    (tmp_path / "proc/self/net/tcp").hardlink_to(tmp_path / "proc/1/net/tcp")
    assert sees_host(host)
    assert NetstatProbe(host, dump).read(Request()).samples[0].fields["tcp_listen"] == 7
    assert not sees_host(dataclasses.replace(host, own_proc=tmp_path / "own"))


def test_where_the_dump_fails_the_files_serve(tmp_path: Path) -> None:
    write_tree(tmp_path, {"proc/1/net/tcp": pieces.tcp([1, 1]), "proc/self/net/other": ""})
    (tmp_path / "proc/self/net/tcp").hardlink_to(tmp_path / "proc/1/net/tcp")

    def dump() -> Counter[int]:
        raise PermissionError(1, "no netlink here")

    host = make_host(tmp_path, Shape({}))
    assert NetstatProbe(host, dump).read(Request()).samples[0].fields["tcp_established"] == 2
