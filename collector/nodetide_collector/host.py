"""Where the host's files are: the one place that knows of ``/host/proc`` and its kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Host"]


@dataclass(frozen=True)
class Host:
    """Roots of the host's file systems as this process sees them.

    In a container the host's ``/proc``, ``/sys`` and ``/`` are mounted elsewhere.  Network and mount
    tables are read through ``/proc/1``, because ``/proc/net`` and ``/proc/mounts`` follow the reader
    into its own namespaces.

    Attributes:
        root: prefix of the host's mount points; ``/`` when they are ours.
    """

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    root: Path = Path("/")
