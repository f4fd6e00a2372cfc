"""docker-compose.yml as Docker Compose itself reads it, with variables filled in."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from servers import program

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "docker-compose.yml"


def compose(*arguments: str, env: Mapping[str, str] | None = None, file: Path = FILE) -> str:
    """What a command of Compose prints, without a `.env` of whoever runs the tests; fails where it does."""
    argv = [program("docker-compose"), "--env-file", os.devnull, "--file", str(file), *arguments]
    clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(env or {})}
    done = subprocess.run(argv, env=clean, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}\n{done.stdout}"
    return done.stdout


def configuration(env: Mapping[str, str] | None = None, overlays: Sequence[Path] = ()) -> dict[str, Any]:
    """The whole file, resolved; raises AssertionError where Compose refuses it."""
    more = [argument for overlay in overlays for argument in ("--file", str(overlay))]
    found: dict[str, Any] = json.loads(compose(*more, "config", "--format", "json", env=env))
    return found
