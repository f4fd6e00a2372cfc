"""The files of a host that has what the one under the tests may lack: LVM, NVMe, sensors, users, throttled CPUs."""

from __future__ import annotations

from pathlib import Path

from tests.fixtures.hosts import pieces
from tests.fixtures.hosts.shapes import DISK, ETH, SHAPES
from tests.fixtures.hosts.tree import Link, Tree, write_tree

__all__ = ["GROUPS", "IDLE", "environment", "inputs", "move", "write"]

#: What both can be told to read below other roots.
GROUPS = (
    "conntrack", "cpu", "disk", "diskio", "linux_cpu", "linux_sysctl_fs", "mem", "net", "processes", "system", "temp",
)  # fmt: skip
#: A disk that was never used.
IDLE = "sdz"

_BUSY = (*DISK[:8], 0, *DISK[9:])
#: Requests that took long have ended.
_MOVED = (_BUSY[0] + 40, *_BUSY[1:3], _BUSY[3] + 90, *_BUSY[4:9], _BUSY[9] + 60_000, *_BUSY[10:])
_CPUS = [[1_000, 20, 300, 9_000, 40, 0, 5, 0, 0, 0]] * 4
#: Each worked for a second, and some of its waiting turned out to be idling.
_MOVED_CPUS = [[1_100, 20, 300, 9_060, 20, 0, 5, 0, 0, 0]] * 4
#: Beside what we read, what Telegraf reads, or misses and then leaves the CPU out.
_MORE_OF_CPUS = (
    *(f"cpufreq/cpuinfo_{what}_freq" for what in ("cur", "min", "max")),
    *(f"thermal_throttle/core_throttle_{what}_time_ms" for what in ("max", "total")),
)


def _disks(nvme: tuple[int, ...]) -> str:
    return pieces.diskstats({"loop0": _BUSY, "nvme0n1": nvme, "dm-0": _BUSY, IDLE: (0,) * 17})


def _tree() -> Tree:
    base = "sys/devices/system/cpu"
    return {
        **SHAPES["cgroup2-nvme-lvm-psi-irq"].tree,
        **pieces.process(110, "cpuhp/3", "P"),
        "proc/net": Link("1/net"),
        "proc/uptime": Link("/proc/uptime"),  # Telegraf asks the kernel, whatever the root
        "proc/cpuinfo": "".join(f"processor\t: {cpu}\n\n" for cpu in range(4)),
        "proc/stat": pieces.stat(_CPUS),
        "proc/diskstats": _disks(_BUSY),
        "proc/1/net/dev": pieces.net_dev({"lo": ETH, "eth0": ETH, "veth1234": ETH}),
        "sys/class/net/veth1234/speed": "10000\n",
        "proc/1/mountinfo": (
            pieces.mount("/", "/dev/dm-0", "ext4", number="253:0")
            + pieces.mount("/boot", "/dev/nvme0n1p1", "xfs", number="259:1", options="ro,relatime")
            + pieces.mount("/var/lib/docker/overlay2/1/merged", "overlay", "overlay", number="0:50")
        ),
        "rootfs/boot/vmlinuz": "",
        "rootfs/var/lib/docker/overlay2/1/merged/a": "",
        "rootfs/var/run": Link("../run"),
        "rootfs/run/utmp": SHAPES["container-overlay-bind"].tree["rootfs/run/utmp"],
        "proc/sys/fs/inode-state": "5000\t100\t0\t0\t0\t0\t0\n",
        "proc/sys/net/netfilter/nf_conntrack_count": "31\n",
        "sys/block/dm-0/dm/name": "vg-root\n",
        **{f"{base}/cpu{cpu}/{file}": "1000000\n" for cpu in range(4) for file in _MORE_OF_CPUS},
    }  # fmt: skip


def write(root: Path) -> None:
    """The host's files."""
    write_tree(root, _tree())


def move(root: Path) -> None:
    """A disk and the CPUs have done some work."""
    for name, content in (("stat", pieces.stat(_MOVED_CPUS)), ("diskstats", _disks(_MOVED))):
        new = root / name
        new.write_text(content)
        new.replace(root / "proc" / name)


def environment(root: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Where Telegraf and where our collector finds that host."""
    roots = root / "proc", root / "sys", root / "rootfs"
    theirs = dict(zip(("HOST_PROC", "HOST_SYS", "HOST_MOUNT_PREFIX"), map(str, roots), strict=True))
    ours = dict(zip(("NODETIDE_PROC_ROOT", "NODETIDE_SYS_ROOT", "NODETIDE_ROOT"), map(str, roots), strict=True))
    return {**theirs, "HOST_VAR": str(root / "rootfs/var"), "HOST_DEV": str(root / "dev")}, ours


def inputs(root: Path) -> str:
    """Telegraf's inputs of `GROUPS`; two of them do not ask the environment for their root."""
    own = {
        "conntrack": f'dirs = ["{root}/proc/sys/net/netfilter"]',
        "cpu": "collect_cpu_time = true\nreport_active = true",
        "linux_cpu": f'host_sys = "{root}/sys"\nmetrics = ["cpufreq", "thermal"]',
    }
    return "".join(f"[[inputs.{group}]]\n{own.get(group, '')}\n" for group in GROUPS)
