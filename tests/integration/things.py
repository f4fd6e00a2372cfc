"""What of this machine has series of its own: disks, mounts and interfaces. Other tests make and remove some."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Things", "is_of", "things"]

#: Measurement, and the name of what it is measured of.
Things = frozenset[tuple[str, str]]
_NAMED_BY = {"disk": "path", "diskio": "name", "net": "interface"}
#: Of the protocols, not of an interface.
_PROTOCOLS = "all"


def things() -> Things:
    """Those that there are now."""
    mounts = [line.split()[1] for line in Path("/proc/1/mounts").read_text().splitlines()]
    disks = [line.split()[2] for line in Path("/proc/diskstats").read_text().splitlines()]
    interfaces = [path.name for path in Path("/sys/class/net").iterdir()]
    return frozenset(
        [
            *(("disk", re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), path)) for path in mounts),
            *(("diskio", name) for name in disks),
            *(("net", name) for name in interfaces),
        ]
    )


def is_of(there: Things, measurement: str, tags: Mapping[str, str]) -> bool:
    """Whether a series is of one of these, or of none that could come and go."""
    tag = _NAMED_BY.get(measurement)
    return tag is None or tags[tag] == _PROTOCOLS or (measurement, tags[tag]) in there
