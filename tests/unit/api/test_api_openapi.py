"""The OpenAPI document and the page made from it."""

from __future__ import annotations

import json
import re

import pytest

from nodetide_api import models
from nodetide_api.config import ApiConfig
from nodetide_api.examples import EXAMPLES, STREAM_EXAMPLE
from nodetide_core.store import Aggregate

HTTP = ("get", "post", "put", "delete", "patch")


@pytest.fixture
async def document(client):
    return (await client.get("/openapi.json")).json()


def operations(document):
    return {path: operation for path, item in document["paths"].items() for operation in item.values()}


async def test_every_endpoint_of_the_design_is_there(document):
    assert set(document["paths"]) == {
        "/health", "/readiness", "/liveness", "/metrics", "/api/v1/metrics/current", "/api/v1/metrics/history",
        "/api/v1/metrics/summary", "/api/v1/metrics/stream", "/api/v1/nodes", "/api/v1/catalogue", "/api/v1/policies",
        "/api/v1/alerts",
    }  # fmt: skip
    assert all(set(item) == {"get"} for item in document["paths"].values())


async def test_every_operation_is_named_explained_and_sorted(document):
    names = [operation["operationId"] for operation in operations(document).values()]
    assert len(set(names)) == len(names)
    known = {tag["name"] for tag in document["tags"]}
    for operation in operations(document).values():
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) <= known
        assert all(parameter.get("description") for parameter in operation.get("parameters", []))


async def test_every_problem_is_documented_as_one_and_its_example_is_true(document):
    for operation in operations(document).values():
        assert "422" not in operation["responses"]
        assert "500" in operation["responses"]
        for status, answer in operation["responses"].items():
            problem = answer.get("content", {}).get("application/problem+json")
            if problem is not None:
                assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}
                assert models.Problem.model_validate(problem["example"], strict=True).status == int(status)
    assert "Problem" in document["components"]["schemas"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


async def test_every_example_of_an_answer_is_true(document):
    shown = set()
    for operation in operations(document).values():
        content = operation["responses"]["200"]["content"]
        if "application/json" in content:
            name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
            getattr(models, name).model_validate(content["application/json"]["example"], strict=True)
            shown.add(name)
    assert shown == set(EXAMPLES)


def test_the_example_of_the_stream_is_true():
    events = re.findall(r"id: \d+\nevent: (\w+)\ndata: (.+)\n\n", STREAM_EXAMPLE)
    assert [name for name, _ in events] == ["sample", "status"]
    models.Current.model_validate_json(events[0][1], strict=True)
    models.StreamStatus.model_validate_json(events[1][1], strict=True)


async def test_every_reference_leads_somewhere(document):
    text = json.dumps(document)
    for name in re.findall(r'"#/components/schemas/([^"]+)"', text):
        assert name in document["components"]["schemas"]


async def test_parameters_are_listed_one_by_one_with_what_they_take(document):
    history = {p["name"]: p for p in operations(document)["/api/v1/metrics/history"]["parameters"]}
    assert set(history) == {"metric", "start_time", "end_time", "host", "tag", "policy", "agg", "step", "max_points"}
    assert history["metric"]["required"]
    assert {"cpu", "mem", "net.bytes_recv"} <= set(history["metric"]["schema"]["enum"])
    assert "collector.policy_hash" not in history["metric"]["schema"]["enum"]
    assert history["start_time"]["schema"]["default"] == "-1h"


async def test_every_aggregate_there_is_can_be_asked_for(document):
    history = {p["name"]: p for p in operations(document)["/api/v1/metrics/history"]["parameters"]}
    assert set(history["agg"]["schema"]["enum"]) == {aggregate.value for aggregate in Aggregate}


async def test_the_token_is_in_the_document_where_there_is_one(connect):
    async with connect(ApiConfig(token="t")) as client:
        document = (await client.get("/openapi.json", headers={"Authorization": "Bearer t"})).json()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for path, operation in operations(document).items():
        is_open = path in ("/health", "/readiness", "/liveness")
        assert ("security" not in operation) == is_open
        assert ("401" not in operation["responses"]) == is_open


async def test_without_a_token_the_document_asks_for_none(document):
    assert "securitySchemes" not in document["components"]
    assert all("401" not in operation["responses"] for operation in operations(document).values())


async def test_the_docs_page_shows_all_of_it_and_asks_nobody_else(client, document):
    response = await client.get("/docs")
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    for path, operation in operations(document).items():
        assert f"GET {path}</code>" in response.text
        assert f'id="{operation["operationId"]}"' in response.text
        for parameter in operation.get("parameters", []):
            assert f"<code>{parameter['name']}</code>" in response.text
    assert "<script" not in response.text
    assert not re.search(r'(src|href)="(https?:)?//', response.text)
