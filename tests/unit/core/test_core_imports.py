"""What importing core costs: the collector on every node pays for all of it."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import nodetide_core

#: Too large for a collector, slow to start, or not for core at all.
UNWELCOME = {
    "asyncio", "concurrent.futures", "dotenv", "duckdb", "email", "fastapi", "http", "http.client", "httpx",
    "influxdb_client", "logging", "multiprocessing", "numpy", "prometheus_client", "psutil", "pydantic", "sqlite3",
    "ssl", "subprocess", "unittest", "urllib.request", "uvicorn", "xml", "yaml",
}  # fmt: skip
#: Modules that only those import who want what they wrap.
ADAPTERS = (
    "nodetide_core.alerts.asking",
    "nodetide_core.alerts.evaluator",
    "nodetide_core.alerts.notify",
    "nodetide_core.alerts.prometheus_text",
    "nodetide_core.stores",
)


def core_modules() -> list[str]:
    names = [module.name for module in pkgutil.walk_packages(nodetide_core.__path__, "nodetide_core.")]
    return ["nodetide_core", *(name for name in names if not name.startswith(ADAPTERS))]


def imported_by(*modules: str) -> set[str]:
    program = (
        f"import sys; before = set(sys.modules); import {', '.join(modules)}; print(*sorted(set(sys.modules) - before))"
    )
    return set(
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    )


def test_core_imports_nothing_large():
    assert not imported_by(*core_modules()) & UNWELCOME


@pytest.mark.parametrize("module", core_modules())
def test_public_names_are_declared_and_there(module: str):
    found = importlib.import_module(module)
    names = found.__all__
    assert len(set(names)) == len(names)
    assert all(hasattr(found, name) for name in names)


@pytest.mark.parametrize("module", core_modules())
def test_modules_say_what_they_are(module: str):
    found = importlib.import_module(module)
    assert found.__doc__ and found.__doc__.strip()
