"""Policies from files: a file, or a directory as Kubernetes mounts a ConfigMap."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nodetide_core.errors import PolicyError, Problem
from nodetide_core.policy.parse import parse_policy
from nodetide_core.policy.schema import (
    KIND,
)
from nodetide_core.policy.spec import (
    Policy,
)

__all__ = ["load_policies"]


def load_policies(path: Path) -> list[Policy]:
    """Policies of a file, or of every ``.yaml``, ``.yml`` and ``.json`` file of a directory.

    Files are read in order of name; hidden ones (a ConfigMap volume's ``..data``) are not policies.

    Raises:
        PolicyError: a file cannot be read or parsed, a policy is wrong, or two share a name or bucket.
    """
    if path.is_dir():
        files = sorted(
            file
            for file in path.iterdir()
            if file.suffix in (".yaml", ".yml", ".json") and not file.name.startswith(".") and file.is_file()
        )
        if not files:
            raise PolicyError([Problem("", "has no .yaml, .yml or .json file")], str(path))
    else:
        files = [path]
    found: list[tuple[Policy, Path]] = []
    problems: list[Problem] = []
    for file in files:
        for document in _documents(file):
            try:
                policy = parse_policy(document)
            except PolicyError as error:
                problems += [Problem(f"{file.name}: {p.path}", p.message) for p in error.problems]
                continue
            for other, where in found:
                problems += _clash(policy, file, other, where)
            found.append((policy, file))
    if problems:
        raise PolicyError(problems, str(path.parent if path.is_file() else path))
    if not found:
        raise PolicyError([Problem("", f"holds no {KIND}")], str(path))
    return [policy for policy, _ in found]


def _clash(policy: Policy, file: Path, other: Policy, where: Path) -> list[Problem]:
    if other.name == policy.name:
        return [Problem(f"{file.name}: metadata.name", f"{policy.name!r} is in {where.name} already")]
    if other.storage.bucket == policy.storage.bucket:
        owner = f"policy {other.name} ({where.name})"
        return [Problem(f"{file.name}: spec.storage.bucket", f"{policy.storage.bucket!r} belongs to {owner} already")]
    return []


def _documents(file: Path) -> list[Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError([Problem("", f"cannot be read: {error}")], str(file)) from error
    if file.suffix == ".json":
        try:
            return [json.loads(text)]
        except ValueError as error:
            raise PolicyError([Problem("", f"is not JSON: {error}")], str(file)) from error
    import yaml  # JSON needs none of it, and the node's own policies are JSON

    try:
        return [document for document in yaml.load_all(text, Loader=_loader(yaml)) if document is not None]
    except yaml.YAMLError as error:
        raise PolicyError([Problem("", f"is not YAML: {' '.join(str(error).split())}")], str(file)) from error


def _loader(yaml: Any) -> Any:
    """A safe loader that refuses a key that stands twice, where YAML would take the last in silence."""

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        pass

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((key for index, key in enumerate(keys) if key in keys[:index]), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"key {twice!r} stands twice", node.start_mark)
        return dict(loader.construct_mapping(node, deep=True))

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    return Loader
