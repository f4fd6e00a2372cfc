"""Tokens in files, one directory each, so that each can be mounted on its own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["FileVault"]

#: For the owner and the directory's group: whoever uses a token is not whoever makes it.
_MODE = 0o640


class FileVault:
    """A `nodetide_core.stores.influx.authorizations.TokenVault` of files ``NAME/token``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def held(self, name: str) -> str | None:
        """
        Raises:
            OSError: the file is there and cannot be read.
        """
        try:
            return self._path(name).read_text(encoding="ascii").strip() or None
        except (FileNotFoundError, UnicodeDecodeError):
            return None

    def keep(self, name: str, token: str) -> None:
        """
        Raises:
            OSError: the file cannot be written; the one before is as it was.
        """
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Beside it, so that readers see the old token or the new one, never half of one.
        handle, name_of_draft = tempfile.mkstemp(dir=path.parent, prefix=".token-")
        draft = Path(name_of_draft)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(token)
                os.fchmod(file.fileno(), _MODE)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            draft.unlink()
            raise

    def _path(self, name: str) -> Path:
        return self._directory / name / "token"
