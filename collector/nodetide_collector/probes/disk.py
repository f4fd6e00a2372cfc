"""Space and inodes of mounted file systems, from ``/proc/1/mountinfo`` and statvfs."""

from __future__ import annotations

import os
from collections.abc import Iterable

from nodetide_collector.host import Host, StatVfs, reason
from nodetide_collector.probe import Reading, Request, probe
from nodetide_collector.probes._files import MALFORMED, take_init
from nodetide_collector.probes._mounts import Mount, parse_mountinfo, visible
from nodetide_collector.probes._statvfs import StatVfsCaller
from nodetide_core.points import Tags, Value, make_tags

__all__ = ["DiskProbe", "space"]

#: Asking for its size would mount what is to be mounted on demand.
_NEVER = frozenset({"autofs"})
_NOT_VISIBLE = "mount not visible under the host root"


def space(answer: StatVfs) -> dict[str, Value]:
    """The fields of one file system; empty for one without blocks, such as proc."""
    if answer.f_blocks <= 0:
        return {}
    unit = answer.f_frsize
    total, free = answer.f_blocks * unit, answer.f_bavail * unit
    used = max(answer.f_blocks - answer.f_bfree, 0) * unit
    inodes_used = max(answer.f_files - answer.f_ffree, 0)
    return {
        "total": total,
        "used": used,
        "free": free,
        "used_percent": _percent(used, free),
        "inodes_total": answer.f_files,
        "inodes_used": inodes_used,
        "inodes_free": answer.f_ffree,
        "inodes_used_percent": _percent(inodes_used, answer.f_ffree),
    }


def _percent(used: int, free: int) -> float:
    return 100.0 * used / (used + free) if used + free > 0 else 0.0


@probe("disk")
class DiskProbe:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._caller = StatVfsCaller(host.statvfs)
        self._prefix = os.fsencode(host.root).rstrip(b"/")
        self._names: dict[tuple[bytes, bytes], str] = {}

    def read(self, request: Request) -> Reading:
        if not self._host.linux:
            from nodetide_collector.probes import _portable

            return _portable.disk(request)
        reading = Reading()
        data = take_init(self._host, reading, "mountinfo")
        if data is None:
            return reading
        mounts, malformed = parse_mountinfo(data)
        if malformed:
            reading.skip(MALFORMED, malformed)
        wanted = self._reachable(_wanted(mounts, request), reading)
        answers = self._caller.call(self._prefix + mount.path for mount in wanted)
        written: set[Tags] = set()
        for mount in wanted:
            answer = answers[self._prefix + mount.path]
            if isinstance(answer, str):
                reading.skip(answer)
            elif isinstance(answer, OSError):
                reading.skip(f"statvfs: {reason(answer)}")
            elif fields := space(answer):
                tags = self._tags(mount)
                if tags in written:
                    reading.skip("mount has the name of another")
                else:
                    written.add(tags)
                    reading.add("disk", tags, {**fields, "forced_read_only": int(mount.forced)})
        return reading

    def _reachable(self, mounts: list[Mount], reading: Reading) -> list[Mount]:
        """Without the mounts that were not passed on into our root: their paths show what lies beneath."""
        if not self._prefix:
            return mounts
        try:
            table, _ = parse_mountinfo(self._host.read(f"{self._host.own_proc}/self/mountinfo"))
        except OSError:
            return mounts
        ours = {mount.path: mount.device for mount in table}
        if self._prefix not in ours:
            return mounts
        seen = [mount for mount in mounts if ours.get((self._prefix + mount.path).rstrip(b"/")) == mount.device]
        if len(seen) < len(mounts):
            reading.skip(_NOT_VISIBLE, len(mounts) - len(seen))
        return seen

    def _tags(self, mount: Mount) -> Tags:
        return make_tags(
            (
                ("path", _text(mount.path)),
                ("device", self._device(mount) or "none"),
                ("fstype", mount.fstype),
                ("mode", "ro" if mount.read_only else "rw"),
            )
        )

    def _device(self, mount: Mount) -> str:
        """The device as ``diskio`` names it: ``sda1``, or ``dm-0`` for a mapped one."""
        source = mount.source.replace(b"/dev/", b"")
        if not mount.source.startswith(b"/dev/mapper/") and mount.source != b"/dev/root":
            return _text(source)
        key = (mount.device, source)
        if key not in self._names:
            link = self._host.sys_file(f"dev/block/{_text(mount.device)}")
            try:
                self._names[key] = self._host.link_name(link)
            except (OSError, ValueError):
                return _text(source)
        return self._names[key]


def _wanted(mounts: Iterable[Mount], request: Request) -> list[Mount]:
    """What the request asks for, once for each folder of a file system."""
    chosen: dict[tuple[bytes, bytes], Mount] = {}
    for mount in visible(mounts):
        if mount.fstype not in _NEVER and request.wants_fs_type(mount.fstype) and request.wants(_text(mount.path)):
            chosen.setdefault((mount.device, mount.root), mount)
    return list(chosen.values())


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
