"""The OpenAPI document: what each operation says of its answers, and what FastAPI's own document gets wrong."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from nodetide_api.auth import is_open
from nodetide_api.examples import EXAMPLES
from nodetide_api.models import Problem
from nodetide_api.problems import PROBLEM_TYPE

__all__ = ["DESCRIPTION", "TAGS", "describe", "problems_of"]

DESCRIPTION = """Metrics of nodes: now, over time, in summary and as a stream.

Errors are RFC 9457 problem documents that name the parameter and what is allowed."""

TAGS = [
    {"name": "metrics", "description": "Values: current, history, summary and the live stream."},
    {"name": "inventory", "description": "What there is: nodes, metrics, policies, alerts."},
    {"name": "operations", "description": "Probes and Prometheus metrics."},
]

_PROBLEMS: dict[int, tuple[str, dict[str, Any]]] = {
    400: (
        "A parameter is wrong.",
        {
            "type": "urn:nodetide:problem:invalid-parameter",
            "title": "Invalid parameter",
            "status": 400,
            "detail": "agg: max does not apply to bytes_recv, a counter; allowed: mean, rate, last, increase",
            "parameter": "agg",
        },
    ),
    401: (
        "The bearer token is missing or wrong.",
        {"type": "about:blank", "title": "Unauthorized", "status": 401, "detail": "the bearer token is wrong"},
    ),
    500: (
        "A mistake of the server's; the log has it under the identifier.",
        {
            "type": "about:blank",
            "title": "Internal Server Error",
            "status": 500,
            "detail": "something went wrong; the log has it as urn:uuid:6f1d3c7e-8f0c-4d57-9d0a-2f6f6b9f4c11",
            "instance": "urn:uuid:6f1d3c7e-8f0c-4d57-9d0a-2f6f6b9f4c11",
        },
    ),
    503: (
        "The store cannot answer now; the header Retry-After says when to ask again.",
        {
            "type": "urn:nodetide:problem:store-unavailable",
            "title": "Store unavailable",
            "status": 503,
            "detail": "the store is down",
        },
    ),
    504: (
        "The store did not answer in time.",
        {
            "type": "urn:nodetide:problem:query-timeout",
            "title": "Query timeout",
            "status": 504,
            "detail": "the store did not answer in time; ask for a shorter range",
        },
    ),
}

_HEADERS = {
    401: {"WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}}},
    503: {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
}


def problems_of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """``responses`` of an operation for the problems it may answer with; 500 is always among them."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in (*statuses, 500):
        description, example = _PROBLEMS[status]
        schema = {"$ref": "#/components/schemas/Problem"}
        found[status] = {
            "description": description,
            "content": {PROBLEM_TYPE: {"schema": schema, "example": example}},
            "headers": _HEADERS.get(status, {}),
        }
    return found


def describe(app: FastAPI, *, token: bool) -> dict[str, Any]:
    """The document of ``app``.

    Args:
        token: whether a bearer token is asked for.
    """
    document = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes, tags=TAGS)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    # FastAPI documents its own validation errors; ours are problems with status 400.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    if token:
        document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            _show_example(operation["responses"]["200"])
            if token and not is_open(path):
                operation["security"] = [{"bearer": []}]
                operation["responses"].update({str(k): v for k, v in problems_of(401).items()})
    return document


def _show_example(answer: dict[str, Any]) -> None:
    # Not given to FastAPI beforehand: it drops what is null from examples.
    content = answer.get("content", {}).get("application/json")
    if content is not None:
        content["example"] = EXAMPLES[content["schema"]["$ref"].rpartition("/")[2]]
