"""The API reference, from the OpenAPI document the API serves."""

from __future__ import annotations

import json
from typing import Any, cast

from nodetide_api.app import create_app
from nodetide_api.config import ApiConfig
from nodetide_core.store import StoreReader

INTRO = """# API

`http://127.0.0.1:8000/docs` shows the same, live, and `/openapi.json` is it for programs.

Times in queries are `-1h` (before now), RFC 3339, Unix seconds, or `now()`. Counters come back as rates. An answer
names the tier it was read from. Errors are problem documents ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) that
name the parameter and what is allowed. With `NODETIDE_API_TOKEN` set, calls need `Authorization: Bearer TOKEN`.
"""


#: Values that a table cell still takes; a longer list is what the meaning points to.
_MANY = 12


def render() -> str:
    # Describing the API asks nothing of the store.
    document = create_app(cast(StoreReader, None), ApiConfig()).openapi()
    sections = [
        _operation(method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    return "\n".join([INTRO, *sections])


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    lines = [f"## `{method.upper()} {path}`\n", operation.get("summary", "") + ".", ""]
    if operation.get("description"):
        lines += [operation["description"].strip(), ""]
    parameters = operation.get("parameters", [])
    if parameters:
        lines += ["| Parameter | Type | Default | Meaning |", "|---|---|---|---|"]
        lines += [_parameter(parameter) for parameter in parameters] + [""]
    lines += ["| Status | Meaning |", "|---|---|"]
    lines += [f"| {code} | {_flat(answer['description'])} |" for code, answer in operation["responses"].items()]
    example = _example(operation["responses"].get("200", {}))
    if example:
        lines += ["", "```json", example, "```"]
    return "\n".join(lines) + "\n"


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    default = f"`{schema['default']}`" if schema.get("default") not in (None, "", []) else ""
    return f"| `{parameter['name']}` | {_type(schema)} | {default} | {_flat(parameter.get('description', ''))} |"


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(inner) for inner in schema["anyOf"] if inner.get("type") != "null")
    if "enum" in schema and len(schema["enum"]) <= _MANY:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    return f"list of {_type(schema['items'])}" if schema.get("type") == "array" else str(schema.get("type", ""))


def _example(answer: dict[str, Any]) -> str:
    for content in answer.get("content", {}).values():
        if "example" in content and not isinstance(content["example"], str):
            return json.dumps(content["example"], indent=2, ensure_ascii=False)
        for example in content.get("examples", {}).values():
            if not isinstance(example["value"], str):
                return json.dumps(example["value"], indent=2, ensure_ascii=False)
    return ""


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
