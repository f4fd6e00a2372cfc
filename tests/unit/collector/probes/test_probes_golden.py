"""Every probe on hosts of several kernels and shapes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.fixtures.hosts import golden
from tests.fixtures.hosts.big import big_host
from tests.fixtures.hosts.check import problems
from tests.fixtures.hosts.shapes import SHAPES

from nodetide_collector.host import Host
from nodetide_collector.probe import registered
from nodetide_core.catalogue import CATALOGUE


@pytest.mark.parametrize("name", SHAPES)
def test_output_is_the_golden_one(name: str) -> None:
    expected = (golden.FOLDER / f"{name}.lp").read_text()
    assert golden.output(SHAPES[name]) == expected, (
        "if it should be so: python -m tests.fixtures.hosts.golden --update-golden"
    )


@pytest.mark.parametrize("name", SHAPES)
def test_samples_are_what_the_catalogue_promises(name: str, tmp_path: Path) -> None:
    hang = threading.Event()
    try:
        readings = golden.read_all(golden.build(tmp_path, SHAPES[name], hang))
    finally:
        hang.set()
    assert problems(sample for reading in readings.values() for sample in reading.samples) == []


def test_every_golden_file_has_a_shape() -> None:
    assert {file.stem for file in golden.FOLDER.glob("*.lp")} == set(SHAPES)


def test_every_measurement_but_the_collectors_own_has_a_probe() -> None:
    assert set(registered()) == set(CATALOGUE.names) - {"collector"}


def test_every_field_is_read_on_some_shape_or_derived() -> None:
    """A field that no probe ever fills would be a promise nobody keeps."""
    filled: set[tuple[str, str]] = set()
    for shape in golden.FOLDER.glob("*.lp"):
        for line in shape.read_text().splitlines():
            if not line.startswith("#"):
                series, _, fields = line.rpartition(" ")
                filled |= {(series.split(",")[0], field.split("=")[0]) for field in fields.split(",")}
    derived = {("diskio", "io_util")} | {
        ("cpu", name) for name in CATALOGUE["cpu"].by_name if name.startswith("usage_")
    }
    promised = {(m.name, name) for m in CATALOGUE for name in m.by_name if m.name != "collector"}
    assert promised - filled == derived


def test_a_large_host_gives_every_series(tmp_path: Path) -> None:
    readings = golden.read_all(big_host(tmp_path, cpus=128, disks=64, interfaces=256))
    counts = {name: len(reading.samples) for name, reading in readings.items()}
    assert counts["cpu"] == counts["softnet"] == 129
    assert counts["linux_cpu"] == 128
    assert counts["disk"] == counts["diskio"] == 64
    assert counts["net"] == 257
    total, *single = readings["cpu"].samples
    for mode, value in total.fields.items():
        assert value == pytest.approx(sum(float(sample.fields[mode]) for sample in single))


def test_without_linux_the_rest_says_why() -> None:
    """On a system without /proc psutil serves what it can."""
    for name, registration in registered().items():
        reading = registration.make(Host(linux=False)).read(golden.Request())
        assert problems(reading.samples) == []
        if CATALOGUE[name].platform.value == "linux":
            assert dict(reading.skipped) == {"needs Linux: read from the kernel's files": 1}
            assert reading.samples == []
        elif name not in ("linux_cpu", "swap"):
            assert reading.samples, name
