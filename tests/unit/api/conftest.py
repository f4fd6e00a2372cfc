from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from pydantic import BaseModel
from tests.fakes.memory_reader import MemoryReader

from nodetide_api.app import create_app
from nodetide_api.config import ApiConfig
from nodetide_api.models import Problem
from nodetide_core.points import Point, make_tags

#: 2026-03-01T09:00:00Z
NOW = 1_772_355_600


@pytest.fixture
async def let_pass(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Has so many seconds gone by for the loop; but for that its clock stands still, however slow this machine is."""
    loop = asyncio.get_running_loop()
    time = loop.time()

    def seconds(passed: float) -> None:
        nonlocal time
        time += passed

    monkeypatch.setattr(loop, "time", lambda: time)
    return seconds


@pytest.fixture
def now() -> int:
    return NOW


@pytest.fixture
def store(now: int) -> MemoryReader:
    """Empty, with one policy of the default tiers."""
    return MemoryReader(now)


@pytest.fixture
def point() -> Callable[..., Point]:
    """A point of a time, a measurement, fields, and tags as keyword arguments; host is ``node-1``."""

    def make(time: int, measurement: str, fields: dict[str, float | int | str], **tags: str) -> Point:
        return Point(measurement, make_tags({"host": "node-1"} | tags), fields, time)

    return make


@pytest.fixture
def connect(store: MemoryReader, now: int) -> Callable[..., httpx.AsyncClient]:
    """A client of the whole app; the clock stands at `now` plus 0.4 s unless told otherwise."""

    def make(config: ApiConfig | None = None, clock: Callable[[], float] | None = None, **options) -> httpx.AsyncClient:
        app = create_app(store, config or ApiConfig(), clock=clock or (lambda: now + 0.4), **options)
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")

    return make


@pytest.fixture
def get() -> Callable[..., Awaitable[Any]]:
    """Asks for a path and holds the answer against its model, which refuses fields it does not know."""

    async def ask(client: httpx.AsyncClient, path: str, model: type[BaseModel]) -> Any:
        response = await client.get(path)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        return model.model_validate_json(response.content, strict=True)

    return ask


@pytest.fixture
def refused() -> Callable[..., Awaitable[Problem]]:
    """Asks for a path and gives the problem document of the answer."""

    async def ask(client: httpx.AsyncClient, path: str, status: int = 400, **options: Any) -> Problem:
        response = await client.get(path, **options)
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "application/problem+json"
        found = Problem.model_validate_json(response.content, strict=True)
        assert found.status == status
        return found

    return ask


@pytest.fixture
async def client(connect: Callable[..., httpx.AsyncClient]) -> AsyncIterator[httpx.AsyncClient]:
    async with connect() as found:
        yield found
