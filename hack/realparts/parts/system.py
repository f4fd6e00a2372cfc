"""A part that is installed into the system, from Debian packages."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import apt, cache
from .steps import Steps


@dataclass(frozen=True)
class SystemPart:
    """Its version is the one Debian serves: old ones go away, so none can be pinned."""

    name: str
    command: str
    package: str

    def version(self) -> str:
        return self._ask("${Version}") or "unknown"

    def expected(self) -> Path:
        return self.path() or Path(self.command)

    def path(self) -> Path | None:
        found = shutil.which(self.command)
        # Half-installed by another run is not there yet; unknown to dpkg is someone's own.
        settled = self._ask("${db:Status-Status}") in ("installed", "not-installed", "")
        return Path(found) if found and settled else None

    def get(self) -> Path:
        found = self.path()
        if found is not None:
            return found
        with cache.locked("apt"):
            found = self.path()
            if found is not None:
                return found
            steps = Steps.begin(self.name)
            apt.install(steps, self.package)
            found = self.path()
            if found is None:
                raise steps.failed("look for the outcome", f"no {self.command} on PATH")
            return found

    def _ask(self, field: str) -> str:
        """What dpkg knows of the package; empty if nothing, or if there is no dpkg."""
        try:
            argv = ["dpkg-query", "-W", "-f", field, self.package]
            asked = subprocess.run(argv, check=False, capture_output=True, text=True)
        except OSError:
            return ""
        return asked.stdout if asked.returncode == 0 else ""
