"""The directory of all spools: who may use it, and what it holds from before."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from urllib.parse import quote, unquote

from nodetide_core.errors import StoreBusy

__all__ = ["SpoolRoot"]

_SUFFIX = ".spool"


class SpoolRoot:
    """Locked for this process from `lock` on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def lock(self) -> None:
        """Have the directory to ourselves; calling again does nothing.

        Raises:
            StoreBusy: another process has it.
            OSError: it cannot be made or written.
        """
        if self._descriptor is not None:
            return
        self._path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise StoreBusy(
                f"the spool directory {self._path} is in use by process {holder}; "
                "stop it, or set NODETIDE_SPOOL_DIR to another directory"
            ) from None
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            return  # only for people; a full disk must not keep us from sending what is here

    def buckets(self) -> list[str]:
        """Those that have a spool here."""
        return sorted(unquote(path.name.removesuffix(_SUFFIX)) for path in self._path.glob(f"*{_SUFFIX}"))

    def directory(self, bucket: str) -> Path:
        """Where a bucket's spool is."""
        return self._path / f"{quote(bucket, safe='')}{_SUFFIX}"

    def unlock(self) -> None:
        """Let go; calling again does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
