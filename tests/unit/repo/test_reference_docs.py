"""The generated pages are what the code says now."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def generator():
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "hack/docs/generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", generator().PAGES)
def test_page_is_up_to_date(name: str):
    if name == "cli" and sys.version_info[:2] not in ((3, 11), (3, 12)):
        pytest.skip("argparse lays out its help differently in other versions of Python")
    module = generator()
    assert module.target(name).read_text() == module.render(name), "run `make docs`"


def test_a_change_in_the_code_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    module = generator()
    monkeypatch.setattr(module, "target", lambda name: tmp_path / f"{name}.md")
    assert module.main(["--check"]) == 1
    assert module.main([]) == 0
    assert module.main(["--check"]) == 0
    (tmp_path / "settings.md").write_text((tmp_path / "settings.md").read_text().replace("INFLUXDB_URL", "INFLUX_URL"))
    assert module.main(["--check"]) == 1
