"""What is left out by default, because it is not the node's own.

Lists follow the defaults of kube-prometheus-stack's node exporter (its chart's
``--collector.filesystem.*-exclude`` and ``--collector.netdev.device-exclude``), as globs.
"""

from __future__ import annotations

__all__ = ["EXCLUDED", "EXCLUDED_FS_TYPES"]

#: By group: globs of the values left out where ``include`` is empty.
EXCLUDED: dict[str, tuple[str, ...]] = {
    "disk": (
        "/dev", "/dev/*", "/proc", "/proc/*", "/sys", "/sys/*", "/run/*",
        "/var/lib/docker/*", "/var/lib/containerd/*", "/var/lib/containers/*", "/var/lib/kubelet/*",
    ),
    "diskio": ("loop*", "ram*", "zram*", "fd[0-9]*", "sr[0-9]*"),
    "net": (
        "lo", "veth*", "cali*", "lxc*", "cilium_*", "cni*", "flannel*", "docker*", "br-*", "virbr*", "vnet*", "tap*",
        "kube-ipvs*", "nodelocaldns", "ifb*", "dummy*",
    ),
}  # fmt: skip

#: File systems that hold no data of the node, and network ones, whose server may hang.
EXCLUDED_FS_TYPES: tuple[str, ...] = (
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
    "erofs", "fusectl", "fuse.*", "hugetlbfs", "iso9660", "mqueue", "nsfs", "overlay", "proc", "procfs", "pstore",
    "rpc_pipefs", "securityfs", "selinuxfs", "squashfs", "sysfs", "tmpfs", "tracefs", "ramfs",
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "ncpfs",
)  # fmt: skip
