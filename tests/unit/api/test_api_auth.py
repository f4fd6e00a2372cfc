"""The optional bearer token."""

from __future__ import annotations

import httpx
import pytest

from nodetide_api.config import ApiConfig

TOKEN = "s3cret-tökén"
OPEN = ["/health", "/readiness", "/liveness", "/", "/static/index.html"]
CLOSED = [
    "/metrics", "/docs", "/openapi.json", "/api/v1/nodes", "/api/v1/policies", "/api/v1/catalogue", "/api/v1/alerts",
    "/api/v1/metrics/current", "/api/v1/metrics/history?metric=cpu", "/api/v1/metrics/summary?metric=cpu",
    "/api/v1/metrics/stream", "/nothing", "/health/", "//health", "/static", "/health/../metrics",
]  # fmt: skip


@pytest.fixture
async def locked(connect):
    async with connect(ApiConfig(token=TOKEN)) as client:
        yield client


def header(token: str, scheme: str = "Bearer") -> dict[str, bytes]:
    return {"Authorization": f"{scheme} {token}".encode()}


@pytest.mark.parametrize("path", OPEN)
async def test_probes_and_the_page_are_open(locked, path):
    assert (await locked.get(path)).status_code == 200


@pytest.mark.parametrize("path", CLOSED)
async def test_everything_else_asks_for_the_token(locked, refused, path):
    url = httpx.URL("http://test").copy_with(raw_path=path.encode())
    found = await refused(locked, url, 401)
    assert "Authorization: Bearer" in found.detail
    assert (await locked.get(url)).headers["www-authenticate"] == 'Bearer realm="nodetide"'


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_the_token_opens(locked, scheme):
    for path in ("/metrics", "/docs", "/openapi.json", "/api/v1/nodes"):
        assert (await locked.get(path, headers=header(TOKEN, scheme))).status_code == 200


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper()])
async def test_a_wrong_token_is_said_to_be_wrong(locked, refused, token):
    found = await refused(locked, "/api/v1/nodes", 401, headers=header(token))
    assert found.detail == "the bearer token is wrong"
    response = await locked.get("/api/v1/nodes", headers=header(token))
    assert 'error="invalid_token"' in response.headers["www-authenticate"]


async def test_other_schemes_and_addresses_do_not_open(locked, refused):
    await refused(locked, "/api/v1/nodes", 401, headers=header(TOKEN, "Basic"))
    await refused(locked, f"/api/v1/nodes?token={TOKEN}", 401)


async def test_the_token_is_in_no_repr():
    assert TOKEN not in repr(ApiConfig(token=TOKEN))


async def test_without_a_token_everything_is_open(client):
    assert (await client.get("/api/v1/nodes")).status_code == 200
