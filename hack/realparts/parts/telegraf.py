"""Telegraf: a peer to compare with, and an oracle for our numbers.

Pressure (PSI) has no input of its own: `[[inputs.kernel]]` with `collect = ["psi"]`.
`inputs.internal` tells what Telegraf itself costs, `outputs.discard` is for measuring it.
"""

from __future__ import annotations

from pathlib import Path

from . import gobuild
from .cached import CachedPart
from .steps import Steps

_VERSION = "1.37.2"  # as in the wrapper's go.mod
_WRAPPER = Path(__file__).resolve().parent.parent / "telegraf"
_MODULE = "github.com/influxdata/telegraf"
_INPUTS = (
    "conntrack",
    "cpu",
    "disk",
    "diskio",
    "hugepages",
    "internal",
    "interrupts",
    "kernel",
    "kernel_vmstat",
    "linux_cpu",
    "linux_sysctl_fs",
    "mem",
    "net",
    "netstat",
    "nstat",
    "processes",
    "swap",
    "system",
    "temp",
)
_TAGS = (
    "custom",
    *(f"inputs.{name}" for name in _INPUTS),
    "outputs.discard",
    "outputs.file",
    "outputs.influxdb_v2",
    "serializers.influx",
)


def _build(steps: Steps, folder: Path) -> None:
    gobuild.build(
        steps,
        wrapper=_WRAPPER,
        package=f"{_MODULE}/cmd/telegraf",
        output=folder / "telegraf",
        tags=_TAGS,
        variables={f"{_MODULE}/internal.Version": _VERSION},
    )


def _recipe() -> bytes:
    return gobuild.pins(_WRAPPER) + ",".join(_TAGS).encode()


TELEGRAF = CachedPart("telegraf", _VERSION, "telegraf", _build, _recipe)
