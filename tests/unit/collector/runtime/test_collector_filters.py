from __future__ import annotations

import fnmatch

from hypothesis import given, settings
from hypothesis import strategies as st

from nodetide_collector.filters import Filter, union
from nodetide_collector.probe import Request
from nodetide_core.policy import GroupSpec, default_policy

GLOBS = st.lists(st.text("ab*?[!]/.x0", min_size=1, max_size=5), max_size=3)
VALUES = st.text("ab/.x0-\n", max_size=5)


@settings(deadline=None)
@given(GLOBS, GLOBS, VALUES)
def test_include_then_exclude_as_the_shell_matches(include: list[str], exclude: list[str], value: str) -> None:
    chosen = Filter("net", GroupSpec(1, include=tuple(include), exclude=tuple(exclude)))
    expected = (not include or any(fnmatch.fnmatchcase(value, glob) for glob in include)) and not any(
        fnmatch.fnmatchcase(value, glob) for glob in exclude
    )
    assert chosen.wants(value) == expected
    assert chosen.accepts((("interface", value),)) == expected


def test_file_system_types_go_by_their_own_globs() -> None:
    chosen = Filter("disk", GroupSpec(1, exclude=("/boot*",), exclude_fs_types=("nfs*", "tmpfs")))

    def accepts(path: str, fs_type: str) -> bool:
        return chosen.accepts((("device", "sda1"), ("fstype", fs_type), ("path", path)))

    assert accepts("/", "ext4")
    assert not accepts("/boot/efi", "vfat")
    assert not accepts("/mnt", "nfs4")
    assert not accepts("/tmp", "tmpfs")


def test_per_cpu_off_leaves_the_total() -> None:
    for group in ("cpu", "softnet"):
        chosen = Filter(group, GroupSpec(1, per_cpu=False))
        assert chosen.accepts((("cpu", "cpu-total"),))
        assert not chosen.accepts((("cpu", "cpu0"),))
    assert Filter("mem", GroupSpec(1, per_cpu=False)).accepts(())


def test_the_default_policy_leaves_out_what_is_not_the_nodes_own() -> None:
    groups = default_policy().collection.groups
    assert not Filter("net", groups["net"]).wants("veth12ab")
    assert Filter("net", groups["net"]).wants("eth0")
    assert Filter("net", groups["net"]).wants("all")
    assert not Filter("disk", groups["disk"]).wants_fs_type("nfs4")
    assert not Filter("diskio", groups["diskio"]).wants("loop7")


def test_a_union_wants_what_anyone_wants() -> None:
    eth = Filter("net", GroupSpec(1, include=("eth*",), per_cpu=False)).request
    wlan = Filter("net", GroupSpec(1, include=("wlan*",), exclude_fs_types=("nfs",), per_cpu=True)).request
    both = union([eth, wlan])
    assert [both.wants(name) for name in ("eth0", "wlan0", "lo")] == [True, True, False]
    assert both.wants_fs_type("nfs")
    assert both.per_cpu
    assert union([eth]) is eth
    assert isinstance(both, Request)
