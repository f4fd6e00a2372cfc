"""``/docs``: the API reference as one page without scripts, made from the OpenAPI document.

FastAPI's own page loads Swagger UI from a public CDN, so it is blank where there is no internet and
runs foreign code where there is; this one needs neither.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.responses import HTMLResponse
from starlette.routing import Route

__all__ = ["mount_docs", "render_docs"]

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 0.875rem/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid #8885; border-radius: 6px; }
table { border-collapse: collapse; width: 100%; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid #8883; }
article { border-top: 1px solid #8885; margin-top: 2rem; }
h3 code { font-size: 1.05rem; }
"""


def mount_docs(app: FastAPI) -> None:
    """Adds ``/docs`` to ``app``; it is not part of the OpenAPI document."""

    async def docs(_: Request) -> Response:
        return HTMLResponse(render_docs(app.openapi()), headers=_HEADERS)

    app.router.routes.append(Route("/docs", docs, include_in_schema=False))


def render_docs(document: Mapping[str, Any]) -> str:
    """The page of an OpenAPI document."""
    return "".join(_page(document))


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>{escape(info['title'])} API {escape(info['version'])}</h1>{_paragraphs(info['description'])}"
    yield '<p>For programs: <a href="openapi.json">openapi.json</a>.</p>'
    for tag in document["tags"]:
        operations = [
            (path, method, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if tag["name"] in operation["tags"]
        ]
        yield f"<section><h2>{escape(tag['name'].capitalize())}</h2><p>{escape(tag['description'])}</p>"
        for path, method, operation in operations:
            yield from _operation(path, method, operation)
        yield "</section>"
    yield "</body></html>"


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    anchor = escape(operation["operationId"])
    yield f'<article id="{anchor}"><h3><a href="#{anchor}"><code>{method.upper()} {escape(path)}</code></a></h3>'
    yield f"<p><strong>{escape(operation['summary'])}.</strong></p>{_paragraphs(operation.get('description', ''))}"
    parameters = operation.get("parameters", [])
    if parameters:
        yield "<table><thead><tr><th>Parameter</th><th>Default</th><th>Meaning</th></tr></thead><tbody>"
        for parameter in parameters:
            yield _parameter(parameter)
        yield "</tbody></table>"
    yield "<table><thead><tr><th>Status</th><th>When</th></tr></thead><tbody>"
    for status, answer in operation["responses"].items():
        yield f"<tr><td><code>{status}</code></td><td>{escape(answer['description'])}</td></tr>"
    yield "</tbody></table>"
    for media_type, content in operation["responses"]["200"].get("content", {}).items():
        if "example" in content:
            example = content["example"]
            text = example if isinstance(example, str) else json.dumps(example, indent=2)
            yield f"<p><code>{escape(media_type)}</code></p><pre>{escape(text)}</pre>"
    yield "</article>"


def _parameter(parameter: Mapping[str, Any]) -> str:
    schema = parameter["schema"]
    default = "required" if parameter.get("required") else f"<code>{escape(json.dumps(schema.get('default')))}</code>"
    meaning = escape(parameter.get("description", ""))
    return f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{default}</td><td>{meaning}</td></tr>"


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n") if part.strip())
