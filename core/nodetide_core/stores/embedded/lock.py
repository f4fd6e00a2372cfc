"""One process per directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from nodetide_core.errors import StoreBusy, StoreUnavailable

__all__ = ["DirectoryLock"]


class DirectoryLock:
    """Holds a directory until released, or until the process ends however it ends.

    The file is never removed: the kernel's lock on it counts, not its presence.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, directory: Path) -> DirectoryLock:
        """
        Raises:
            StoreBusy: another process (or this one) holds it.
            StoreUnavailable: the lock file cannot be made.
        """
        path = directory / "nodetide.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreUnavailable(f"cannot write in {directory}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StoreBusy(
                f"{directory} is in use by {f'process {holder}' if holder else 'another process'}; "
                "stop that one, or give this one another directory"
            ) from error
        # On a full disk the pid stays unwritten; the lock holds all the same.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Calling again does nothing."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1
