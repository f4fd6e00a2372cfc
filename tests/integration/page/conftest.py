"""The page in a real Chromium, over the real API on a synthetic store."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from tests.integration.page.synthetic_store import SyntheticStore

from nodetide_api.app import create_app
from nodetide_api.config import ApiConfig
from nodetide_api.server import ApiServer, listen

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


class Site:
    """The API on a loopback port of its own; it can go away and come back."""

    def __init__(self, store: SyntheticStore, config: ApiConfig) -> None:
        self.store = store
        self.config = config
        self.port = 0
        self._server: ApiServer | None = None
        self._thread: threading.Thread | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        listener: socket.socket = listen("127.0.0.1", self.port)
        self.port = listener.getsockname()[1]
        server = ApiServer(create_app(self.store, self.config), listener, graceful_timeout=5)
        self._server, self._thread = server, threading.Thread(target=server.run, name="page-test-server")
        self._thread.start()

    def stop(self) -> None:
        if self._server is None or self._thread is None:
            return
        self._server.stop()
        self._thread.join(120)
        assert not self._thread.is_alive()
        self._server = self._thread = None

    def get(self, path: str) -> Any:
        """The JSON at ``path``."""
        request = Request(self.url + path)
        if self.config.token:
            request.add_header("Authorization", f"Bearer {self.config.token}")
        with urlopen(request, timeout=60) as answer:
            return json.load(answer)


class Page:
    """What a person sees and does."""

    def __init__(self, driver: Chrome, site: Site) -> None:
        self.driver = driver
        self.site = site
        self._expected: list[str] = []

    def open(self, hash: str = "") -> None:
        self.driver.get(self.site.url + hash)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def text(self, selector: str) -> str:
        """The text of the first match, as the document holds it."""
        return str(self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector))

    def wait(self, expression: str, *arguments: Any, seconds: float = 180) -> Any:
        """The value of a JavaScript expression as soon as it is truthy."""
        end = time.monotonic() + seconds
        while True:
            value = self.run(f"return {expression}", *arguments)
            if value:
                return value
            if time.monotonic() > end:
                state = self.run("return document.querySelector('header')?.innerText + '\\n' + location.href")
                raise AssertionError(f"not within {seconds} s: {expression}\n{state}")
            time.sleep(0.05)

    def wait_state(self, state: str) -> None:
        self.wait("document.getElementById('status').dataset.state === arguments[0]", state)

    def wait_drawn(self, chart: str = "cpu") -> None:
        self.wait("document.querySelector(arguments[0] + ' canvas') !== null", f"#chart-{chart}")

    def click(self, selector: str) -> None:
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def press(self, *keys: str) -> None:
        """Types into whatever has the focus."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def tab_to(self, expression: str, most: int = 60) -> None:
        """Presses Tab until the expression, with the focused element as ``it``, is true."""
        for _ in range(most):
            if self.run(f"const it = document.activeElement; return {expression}"):
                return
            self.press(Keys.TAB)
        raise AssertionError(f"Tab does not reach {expression}")

    def module(self, name: str, body: str, *arguments: Any) -> Any:
        """The result of ``body``, a function's body in which ``m`` is the page's module and ``a`` the arguments."""
        script = (
            "const [name, a, done] = arguments;"
            f"import('/static/' + name).then(async (m) => {{ {body} }})"
            ".then((value) => done({value}), (error) => done({error: String(error) + error.stack}));"
        )
        found = self.driver.execute_async_script(script, name, list(arguments))
        assert "error" not in found, found["error"]
        return found["value"]

    def painted(self, chart: str) -> int:
        """How many pixels of a chart are painted."""
        return int(
            self.run(
                """const canvas = [...document.querySelectorAll(arguments[0] + ' canvas')].find((c) => c.width > 0);
                const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                let painted = 0;
                for (let at = 3; at < data.length; at += 4) painted += data[at] > 0;
                return painted;""",
                f"#chart-{chart} .surface",
            )
        )

    def media(self, **features: str) -> None:
        """Emulates media features, such as ``prefers_color_scheme="dark"``."""
        found = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": found})

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def requests(self) -> list[str]:
        """The addresses asked for since the last call."""
        found = []
        for entry in self._log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
        return found

    def _log(self, name: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.driver.get_log(name)  # type: ignore[no-untyped-call]
        return entries

    def expect_errors(self, pattern: str) -> None:
        """Console errors that match are part of the test."""
        self._expected.append(pattern)

    def unexpected_errors(self) -> list[str]:
        entries = self._log("browser")
        errors = [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]
        # Beside these tests, others make interfaces on this machine.
        expected = [*self._expected, "ERR_NETWORK_CHANGED"]
        return [error for error in errors if not any(re.search(pattern, error) for pattern in expected)]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One Chromium for all tests: every site has an origin of its own, so nothing is shared."""
    browser, driver_path = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver_path is None:
        message = "needs Chromium and ChromeDriver: python hack/realparts/realparts.py chromium chromedriver"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    options = ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    log = Path(tmp_path_factory.mktemp("chromedriver"), "log.txt")
    driver = Chrome(options=options, service=Service(driver_path, log_output=str(log)))
    driver.set_script_timeout(180)
    yield driver
    driver.quit()


@pytest.fixture
def make_site() -> Iterator[Callable[..., Site]]:
    """Starts a site; keyword arguments are `SyntheticStore`'s and, as ``config``, the API's."""
    sites: list[Site] = []

    def make(*, config: ApiConfig | None = None, **store: Any) -> Site:
        sites.append(Site(SyntheticStore(**store), config or ApiConfig()))
        return sites[-1]

    yield make
    for site in sites:
        site.stop()


@pytest.fixture
def visit(chromium: Chrome, make_site: Callable[..., Site]) -> Iterator[Callable[..., Page]]:
    """A page over a site of its own, not opened yet; whatever it writes to the console fails the test."""
    pages: list[Page] = []

    def make(**arguments: Any) -> Page:
        page = Page(chromium, make_site(**arguments))
        page.size(1280, 900)
        page.media(prefers_color_scheme="light")
        page.requests()
        pages.append(page)
        return page

    yield make
    for page in pages:
        errors = page.unexpected_errors()
        chromium.get("about:blank")
        assert errors == []
