"""The page over HTTP, without a browser."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient
from tests.integration.page.synthetic_store import SyntheticStore

from nodetide_api.app import create_app
from nodetide_api.config import ApiConfig
from nodetide_api.page.files import page_files


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    transport = ASGITransport(create_app(SyntheticStore(), ApiConfig(token="secret")))
    async with AsyncClient(transport=transport, base_url="http://page.test") as client:
        yield client


async def test_every_file_is_open_typed_and_under_a_strict_policy(client: AsyncClient) -> None:
    for name in ("", *(f"static/{name}" for name in page_files())):
        answer = await client.get(f"/{name}")
        assert answer.status_code == 200, name
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self';") and "unsafe" not in policy and "*" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-cache"
        again = await client.get(f"/{name}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (await client.head(f"/{name}")).content == b""
    assert (await client.get("/static/main.js")).headers["content-type"].startswith("text/javascript")
    assert (await client.get("/")).headers["content-type"].startswith("text/html")


async def test_data_need_the_token_all_the_same(client: AsyncClient) -> None:
    assert (await client.get("/api/v1/nodes")).status_code == 401


@pytest.mark.parametrize("path", ["routes.py", "../routes.py", "%2e%2e/routes.py", "vendor/", "", "nothing.js"])
async def test_nothing_else_is_served(client: AsyncClient, path: str) -> None:
    answer = await client.get(f"/static/{path}")
    assert answer.status_code in (401, 404)
    assert "import" not in answer.text


async def test_the_page_is_no_part_of_the_api_document(client: AsyncClient) -> None:
    answer = await client.get("/openapi.json", headers={"Authorization": "Bearer secret"})
    paths = answer.json()["paths"]
    assert not [path for path in paths if path == "/" or path.startswith("/static")]


def test_the_page_names_no_other_origin_and_has_no_inline_code() -> None:
    for name, file in page_files().items():
        if name.startswith("vendor/"):
            continue
        text = file.content.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"(https?:)?//[a-z0-9-]+\.[a-z]", text), name
        assert "innerHTML" not in text and "eval(" not in text, name
        if name.endswith(".html"):
            assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", text)


def test_every_module_is_imported_and_every_file_that_is_named_exists() -> None:
    files = page_files()
    named: set[str] = set(re.findall(r'(?:href|src)="static/([^"]+)"', files["index.html"].content.decode()))
    for name, file in files.items():
        if name.endswith(".js") and not name.startswith("vendor/"):
            named |= set(re.findall(r'from "\./([^"]+)"', file.content.decode()))
    assert named == files.keys() - {"index.html"}


def test_the_chart_library_is_not_imported_for_its_file() -> None:
    page_files()
    assert "dygraphs" not in sys.modules


def test_modules_stay_small() -> None:
    static = Path(sys.modules["nodetide_api.page.files"].__file__ or "").with_name("static")
    lengths = {path.name: len(path.read_text().splitlines()) for path in static.glob("*.js")}
    assert {name: length for name, length in lengths.items() if length > 270} == {}
