"""Which mounts are asked, and under which names."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.hosts import pieces
from tests.fixtures.hosts.tree import Shape, StatVfsAnswer, make_host, write_tree

from nodetide_collector.host import Host
from nodetide_collector.probe import Request
from nodetide_collector.probes._mounts import parse_mountinfo, unescape
from nodetide_collector.probes.disk import DiskProbe
from nodetide_core.points import tag


def host_of(root: Path, mountinfo: str, asked: list[str]) -> Host:
    write_tree(root, {"proc/1/mountinfo": mountinfo})
    host = make_host(root, Shape({}))

    def statvfs(path: bytes) -> StatVfsAnswer:
        asked.append(path.decode().removeprefix(str(root / "rootfs")))
        return pieces.filesystem(1)

    return Host(proc=host.proc, sys=host.sys, root=host.root, own_proc=host.own_proc, linux=True, statvfs=statvfs)


def test_what_nobody_wants_is_never_asked(tmp_path: Path) -> None:
    asked: list[str] = []
    table = (
        pieces.mount("/", "/dev/sda1", "ext4", number="8:1")
        + pieces.mount("/srv", "filer:/x", "nfs4", number="0:50")
        + pieces.mount("/var/lib/kubelet/x", "/dev/sdb", "xfs", number="8:16")
        + pieces.mount("/auto", "auto", "autofs", number="0:51")
    )
    request = Request(wants=lambda path: not path.startswith("/var"), wants_fs_type=lambda kind: kind != "nfs4")
    reading = DiskProbe(host_of(tmp_path, table, asked)).read(request)
    assert asked == ["/"]
    assert [tag(sample.tags, "path") for sample in reading.samples] == ["/"]


def test_a_later_mount_hides_an_earlier_one_and_copies_count_once(tmp_path: Path) -> None:
    asked: list[str] = []
    table = (
        pieces.mount("/", "rootfs", "rootfs", number="0:1")
        + pieces.mount("/", "/dev/sda1", "ext4", number="8:1")
        + pieces.mount("/data", "/dev/sdb1", "ext4", number="8:17")
        + pieces.mount("/again", "/dev/sdb1", "ext4", number="8:17")
        + pieces.mount("/part", "/dev/sdb1", "ext4", number="8:17", root="/folder")
    )
    reading = DiskProbe(host_of(tmp_path, table, asked)).read(Request())
    assert [tag(sample.tags, "path") for sample in reading.samples] == ["/", "/data", "/part"]
    assert tag(reading.samples[0].tags, "fstype") == "ext4"
    assert sorted(asked) == ["/", "/data", "/part"]


def test_with_our_own_root_paths_are_asked_as_they_are(tmp_path: Path) -> None:
    asked: list[bytes] = []
    write_tree(tmp_path, {"proc/1/mountinfo": pieces.mount("/data", "/dev/sda1", "ext4", number="8:1")})

    def statvfs(path: bytes) -> StatVfsAnswer:
        asked.append(path)
        return pieces.filesystem(1)

    host = Host(proc=tmp_path / "proc", own_proc=tmp_path / "proc", linux=True, statvfs=statvfs)
    DiskProbe(host).read(Request())
    assert asked == [b"/data"]


@given(st.binary().filter(lambda path: b"\0" not in path).map(lambda path: b"/" + path))
def test_escapes_of_the_kernel_are_undone(path: bytes) -> None:
    escaped = b"".join(b"\\%03o" % byte if byte in b" \t\n\\#" else bytes((byte,)) for byte in path)
    assert unescape(escaped) == path
    mounts, malformed = parse_mountinfo(b"30 1 8:1 / " + escaped + b" rw - ext4 /dev/sda rw\n")
    assert malformed == 0
    assert [mount.path for mount in mounts] == [path]
