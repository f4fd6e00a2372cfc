"""Build a command of a Go module, pinned by a wrapper module's go.mod and go.sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from .steps import Steps


def build(
    steps: Steps,
    *,
    wrapper: Path,
    package: str,
    output: Path,
    tags: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    cgo: Mapping[str, str] | None = None,
) -> None:
    """Build `package` into `output`.

    `variables` are Go string variables to set (-X); `cgo` is the environment of what is
    partly C, and without it nothing is.
    """
    env = {"CGO_ENABLED": "0" if cgo is None else "1", "GOWORK": "off", **(cgo or {})}
    linker = ["-s", "-w", *(f"-X {name}={value}" for name, value in (variables or {}).items())]
    argv = ["go", "build", "-mod=readonly", "-trimpath", "-buildvcs=false"]
    argv += ["-tags", ",".join(tags), "-ldflags", " ".join(linker), "-o", str(output), package]
    steps.run(f"go build {package}", argv, cwd=wrapper, env=env)


def download(steps: Steps, *, wrapper: Path, module: str) -> Path:
    """Fetch the version of `module` that the wrapper pins; the folder it is unpacked in."""
    steps.run(f"go mod download {module}", ["go", "mod", "download", module], cwd=wrapper, env={"GOWORK": "off"})
    found = steps.ask(["go", "list", "-m", "-f", "{{.Dir}}", module], cwd=wrapper, env={"GOWORK": "off"})
    return Path(found.strip())


def pins(wrapper: Path) -> bytes:
    """What a wrapper module pins, for a part's recipe."""
    return (wrapper / "go.mod").read_bytes() + (wrapper / "go.sum").read_bytes()
