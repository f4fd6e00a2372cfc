"""The page over a real `nodetide run`: an alert of a policy appears by itself, and goes when it ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from tests.integration.page.conftest import Page
from tests.integration.standalone.alert_story import NEVER, Hook, policy_text
from tests.integration.standalone.process import Nodetide

pytestmark = pytest.mark.browser

ROWS = "[...document.querySelectorAll('#alerts-list li')]"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return tmp_path / "policy.yaml"


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as hook:
        yield hook


@pytest.fixture
def standalone(tmp_path: Path, policy: Path, hook: Hook) -> Iterator[Nodetide]:
    """Its alert does not fire yet."""
    policy.write_text(policy_text(hook.url, ["Up"], NEVER))
    (tmp_path / "log.txt").touch()
    arguments = ("run", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), "--policy", str(policy))
    one = Nodetide(arguments, tmp_path)
    yield one.wait_until_running()
    one.end(signal.SIGKILL)


def test_an_alert_comes_and_goes(chromium: Chrome, standalone: Nodetide, policy: Path, hook: Hook) -> None:
    page = Page(chromium, standalone)  # type: ignore[arg-type]  # of a site it needs the address alone
    page.size(1280, 900)
    chromium.get(standalone.url + "/")
    page.wait_state("live")
    assert page.run("return document.getElementById('alerts').hidden")
    policy.write_text(policy_text(hook.url, ["Up"]))
    page.wait(f"{ROWS}.length === 1")
    row = page.run(f"return {ROWS}[0].innerText.replace(/\\s+/g, ' ')")
    assert row.startswith("critical Up") and "is up" in row and "Runbook" in row
    assert page.run("return document.querySelector('.runbook').href") == "https://runbooks.example.com/Up"
    policy.write_text(policy_text(hook.url, ["Up"], NEVER))
    page.wait("document.getElementById('alerts').hidden")
    chromium.get("about:blank")
    assert page.unexpected_errors() == []
