"""InfluxDB 2's server: the store. Without its web pages, which Nodetide doesn't use.

Its Flux engine is half Rust: cargo builds that half into a static library, which the Go
half finds through pkg-config.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from . import gobuild
from .cached import CachedPart
from .steps import Steps

_VERSION = "2.7.12"  # as in the wrapper's go.mod
_WRAPPER = Path(__file__).resolve().parent.parent / "influxd"
_COMMAND = "github.com/influxdata/influxdb/v2/cmd/influxd"
_FLUX = "github.com/influxdata/flux"
_TAGS = ("sqlite_foreign_keys", "sqlite_json")
# The crate takes a newer Rust's warnings for errors.
_RUST = {"RUSTFLAGS": "--cap-lints allow"}
_CARGO = ["cargo", "rustc", "--release", "--locked", "--package", "flux", "--lib", "--crate-type", "staticlib"]
_PKG_CONFIG = """\
Name: flux
Description: the Rust half of the Flux engine
Version: 0
Cflags: -I{libflux}/include
Libs: -L{libflux}/target/release -lflux -ldl -lm
"""


def _build(steps: Steps, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        libflux = _build_libflux(steps, Path(scratch))
        (libflux / "flux.pc").write_text(_PKG_CONFIG.format(libflux=libflux))
        gobuild.build(
            steps,
            wrapper=_WRAPPER,
            package=_COMMAND,
            output=folder / "influxd",
            tags=_TAGS,
            variables={"main.version": f"v{_VERSION}"},
            cgo={"PKG_CONFIG_PATH": str(libflux)},
        )


def _build_libflux(steps: Steps, scratch: Path) -> Path:
    """Build in a copy: Go's module folders are read-only, and this one asks rustup for an old Rust."""
    module = gobuild.download(steps, wrapper=_WRAPPER, module=_FLUX)
    sources = [str(module / "libflux"), str(module / "stdlib")]  # the build compiles the latter in
    steps.run("copy libflux", ["cp", "-r", "--no-preserve=mode", *sources, str(scratch)])
    libflux = scratch / "libflux"
    steps.run("cargo build libflux", _CARGO, cwd=libflux, env=_RUST)
    return libflux


def _recipe() -> bytes:
    return gobuild.pins(_WRAPPER) + ",".join(_TAGS).encode()


INFLUXD = CachedPart("influxd", _VERSION, "influxd", _build, _recipe)
