"""What policies' ``secretRef``s name, in files ``NAME/KEY`` of a directory, as Kubernetes mounts Secrets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nodetide_core.policy import Policy, SecretRef

__all__ = ["secret_files"]


def secret_files(directory: Path | None) -> Callable[[Policy, SecretRef], str]:
    """Reads a secret anew each time; raises LookupError or OSError with what is missing."""

    def read(_: Policy, ref: SecretRef) -> str:
        if directory is None:
            raise LookupError("it is looked for in NODETIDE_SECRETS_DIR, which is not set")
        # A policy must not name files elsewhere.
        if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in (ref.name, ref.key)):
            raise LookupError("its name and key must be names of a directory and a file")
        try:
            return (directory / ref.name / ref.key).read_text(encoding="utf-8").strip()
        except UnicodeDecodeError:
            raise LookupError("the file is not text") from None

    return read
