"""A control group of one's own, in every hierarchy that this kernel has."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PATIENCE = 60.0
_V2 = "cgroup.controllers"


class ControlGroup:
    """Made for one process of ours, whose number it carries, so that what a killed one left is found.

    Args:
        prefix: of the name; groups of the same prefix whose process is gone are taken away.
    """

    def __init__(self, prefix: str) -> None:
        self.name = f"{prefix}-{os.getpid()}-{id(self)}"
        self._prefix = prefix

    def make(self) -> None:
        """Make it, and take away what killed processes left."""
        for top in _hierarchies():
            for other in top.glob(f"{self._prefix}-*-*"):
                pid = other.name.removeprefix(f"{self._prefix}-").split("-")[0]
                if not Path(f"/proc/{pid}").exists():
                    remove_group(other)
            if (top / _V2).exists():
                wanted = " ".join(f"+{name}" for name in (top / _V2).read_text().split())
                (top / "cgroup.subtree_control").write_text(wanted)
            (top / self.name).mkdir(exist_ok=True)

    def remove(self) -> None:
        """Take it away, with all groups in it. Raises OSError if processes stay in there."""
        for top in _hierarchies():
            remove_group(top / self.name)


def _hierarchies() -> Iterable[Path]:
    """The one of cgroup v2, or each of v1; where there are both, v2's controls nothing."""
    if (_ROOT / _V2).exists():
        return [_ROOT]
    return [top for top in _ROOT.iterdir() if top.is_dir() and not top.is_symlink()]


def remove_group(group: Path) -> None:
    """Take a group away, with all in it. The kernel refuses while a dead process is still in there: for some time, try
    again.

    Raises:
        OSError: a process stays in there.
    """
    deadline = time.monotonic() + _PATIENCE
    inner = sorted((path for path in group.glob("**") if path.is_dir()), reverse=True)
    for path in inner:
        while path.exists():
            try:
                path.rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
