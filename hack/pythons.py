"""Runs the unit tests on every other supported Python that is on this machine.

python hack/pythons.py             those found
python hack/pythons.py 3.10 3.13   these, and fail where one is missing
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUPPORTED = ("3.10", "3.11", "3.12", "3.13")


def main(arguments: list[str]) -> int:
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    wanted = arguments or [version for version in SUPPORTED if version != here]
    failed: list[str] = []
    for version in wanted:
        python = find(version)
        if python is None:
            print(f"==> Python {version}: not on this machine", flush=True)
            failed += [version] if arguments else []
        elif not test(version, python):
            failed.append(version)
    if failed:
        print(f"error: failed on Python {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def find(version: str) -> Path | None:
    """The interpreter of a version, on PATH or where pyenv keeps its own."""
    for candidate in candidates(version):
        asked = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if asked.returncode == 0 and asked.stdout.strip() == version:
            return candidate
    return None


def candidates(version: str) -> Iterator[Path]:
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)
    pyenv = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    yield from sorted(Path(pyenv).glob(f"versions/{version}.*/bin/python{version}"))


def test(version: str, python: Path) -> bool:
    print(f"==> Python {version}", flush=True)
    venv = ROOT / f".venv-{version}"
    environment = {**os.environ, "NODETIDE_VENV": str(venv)}
    if subprocess.run([python, "hack/bootstrap.py", "dev"], cwd=ROOT, env=environment, check=False).returncode:
        return False
    command: list[str | Path] = [venv / "bin" / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit"]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
