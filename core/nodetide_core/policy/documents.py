"""Documents of YAML and JSON files, read strictly and within bounds."""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from nodetide_core.errors import PolicyError, Problem

__all__ = ["read_documents"]

#: What a ConfigMap can hold; past it a file is not a policy, and reading it could take all memory.
_MAX_BYTES = 1 << 20


def read_documents(file: Path) -> list[Any]:
    """The document of a ``.json`` file, or those of a YAML one, without empty ones.

    Raises:
        PolicyError: the file cannot be read or parsed, or has a key twice in one mapping.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError([Problem("", f"cannot be read: {error}")], str(file)) from error
    if len(content) > _MAX_BYTES:
        raise PolicyError([Problem("", f"is larger than {_MAX_BYTES} bytes")], str(file))
    kind = "JSON" if file.suffix == ".json" else "YAML"
    try:
        return _json(text) if kind == "JSON" else _yaml(text)
    except RecursionError:
        raise PolicyError([Problem("", f"is not {kind} that can be read: nested too deeply")], str(file)) from None
    except ValueError as error:
        raise PolicyError([Problem("", f"is not {kind}: {error}")], str(file)) from error


def _json(text: str) -> list[Any]:
    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        _refuse_twice([key for key, _ in pairs])
        return dict(pairs)

    return [json.loads(text, object_pairs_hook=mapping)]


def _yaml(text: str) -> list[Any]:
    """Raises ValueError, also where PyYAML has an error of its own."""
    import yaml  # JSON needs none of it, and the node's own policies are JSON

    class Loader(yaml.SafeLoader):
        """Safe, and strict where YAML would take the last of two equal keys in silence; times stay the text
        that they are for Kubernetes."""

    def mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
        where = f"line {node.start_mark.line + 1}"
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            # A few lines of them can grow without bound.
            raise ValueError(f"{where}: merge keys (<<) are not supported; write the fields out")
        _refuse_twice([loader.construct_object(key, deep=True) for key, _ in node.value], where)
        return dict(loader.construct_mapping(node, deep=True))

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        return [document for document in yaml.load_all(text, Loader=Loader) if document is not None]
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError) as error:
        # PyYAML lets the errors of its constructors through: `!!bool x` is a KeyError.
        raise ValueError(" ".join(str(error).split())) from error


def _refuse_twice(keys: list[Any], where: str = "") -> None:
    seen: set[Hashable] = set()
    for key in keys:
        if isinstance(key, Hashable):
            if key in seen:
                raise ValueError(f"{where}: key {key!r} stands twice".removeprefix(": "))
            seen.add(key)
