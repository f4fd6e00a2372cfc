"""Whatever the kernel's files hold: no probe raises, and no value has a wrong type."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fixtures.hosts.check import problems
from tests.fixtures.hosts.shapes import SHAPES
from tests.fixtures.hosts.tree import Link, Shape, make_host, write_tree

from nodetide_collector.probe import Request, registered
from nodetide_core.points import Value

_SHAPE = SHAPES["cgroup2-nvme-lvm-psi-irq"]

#: By measurement, the start of the paths it reads.
_READS = {
    "conntrack": ("proc/sys/net", "proc/1/net/stat"),
    "cpu": ("proc/stat",),
    "disk": ("proc/1/mountinfo",),
    "diskio": ("proc/diskstats",),
    "kernel": ("proc/stat",),
    "kernel_vmstat": ("proc/vmstat",),
    "linux_cpu": ("sys/devices/system/cpu",),
    "linux_sysctl_fs": ("proc/sys/fs",),
    "mem": ("proc/meminfo", "proc/zoneinfo"),
    "net": ("proc/1/net/dev", "proc/1/net/snmp", "sys/class/net"),
    "netstat": ("proc/1/net/tcp", "proc/1/net/udp"),
    "pressure": ("proc/pressure",),
    "processes": ("proc/1/stat", "proc/10"),
    "sockstat": ("proc/1/net/sockstat",),
    "softnet": ("proc/1/net/softnet_stat",),
    "swap": ("proc/meminfo", "proc/vmstat"),
    "system": ("proc/loadavg", "proc/uptime", "sys/devices/system/cpu/online", "rootfs/run/utmp"),
    "temp": ("sys/class/hwmon", "sys/class/thermal"),
    "timex": (),  # a system call
}

_WORDS = (
    b"-1",
    b"nan",
    b"inf",
    b"1e999",
    b"9" * 25,
    b"1_0",
    b"",
    b"0x1f",
    b"\xff\xfe",
    b":",
    b"=",
    b" - ",
    b"\\777",
    b"\x00",
    "²".encode(),
)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """A file cut short, with a word replaced, with a piece overwritten or missing, or of nothing sensible at all."""
    how = draw(st.sampled_from(("cut", "word", "overwrite", "drop", "random")))
    if how == "random":
        return draw(st.binary(max_size=300))
    at = draw(st.integers(0, len(content)))
    if how == "cut":
        return content[:at]
    if how == "drop":
        return content[:at] + content[at + draw(st.integers(1, 40)) :]
    if how == "overwrite":
        piece = draw(st.binary(min_size=1, max_size=20))
        return content[:at] + piece + content[at + len(piece) :]
    words = content.split(b" ")
    words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(_WORDS))
    return b" ".join(words)


@pytest.mark.parametrize("name", sorted(name for name, starts in _READS.items() if starts))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_files_never_raise_nor_give_a_wrong_type(name: str, data: st.DataObject) -> None:
    tree = {path: content for path, content in _SHAPE.tree.items() if path.startswith(_READS[name])}
    if name == "processes":
        tree = {path: content for path, content in tree.items() if path.endswith("/stat")}
    files = [path for path, content in tree.items() if not isinstance(content, Link)]
    for path in data.draw(st.lists(st.sampled_from(files), min_size=1, max_size=3, unique=True)):
        content = tree[path]
        assert not isinstance(content, Link)
        raw = content.encode() if isinstance(content, str) else content
        tree[path] = data.draw(damaged(raw))
    registration = registered()[name]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_tree(root, tree)
        shape = Shape(tree, _SHAPE.statvfs)
        reading = registration.make(make_host(root, shape)).read(Request())
    # Garbage may name a series twice, and hold any number: `conformance` sees to those that no store can hold.
    allowed = ("stands twice", "is beyond 64 bits")
    assert [problem for problem in problems(reading.samples) if not problem.endswith(allowed)] == []
    assert all(count > 0 and len(reason) < 60 for reason, count in reading.skipped.items())
    if registration.derive is not None:
        before: dict[str, Value] = {}
        for sample in reading.samples:
            derived = registration.derive(sample.fields, before, 1.0)
            assert problems([sample._replace(fields=derived)]) == [] or not derived
            before = sample.fields


def test_each_probe_is_covered() -> None:
    assert set(_READS) == set(registered())
