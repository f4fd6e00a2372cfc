"""Policies from files: a file, or a directory as Kubernetes mounts a ConfigMap."""

from __future__ import annotations

from pathlib import Path

from nodetide_core.errors import PolicyError, Problem
from nodetide_core.policy.documents import read_documents
from nodetide_core.policy.parse import parse_policy
from nodetide_core.policy.schema import KIND
from nodetide_core.policy.spec import Policy

__all__ = ["load_policies"]


def load_policies(path: Path) -> list[Policy]:
    """Policies of a file, or of every ``.yaml``, ``.yml`` and ``.json`` file of a directory.

    Files are read in order of name; hidden ones (a ConfigMap volume's ``..data``) are not policies.

    Raises:
        PolicyError: a file cannot be read or parsed, a policy is wrong, or two share a name or bucket.
    """
    found: list[tuple[Policy, Path]] = []
    problems: list[Problem] = []
    for file in _files(path):
        for document in read_documents(file):
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


def _files(path: Path) -> list[Path]:
    try:
        if not path.is_dir():
            return [path]
        files = sorted(
            file
            for file in path.iterdir()
            if file.suffix in (".yaml", ".yml", ".json") and not file.name.startswith(".") and file.is_file()
        )
    except OSError as error:
        raise PolicyError([Problem("", f"cannot be read: {error}")], str(path)) from error
    if not files:
        raise PolicyError([Problem("", "has no .yaml, .yml or .json file")], str(path))
    return files


def _clash(policy: Policy, file: Path, other: Policy, where: Path) -> list[Problem]:
    if other.name == policy.name:
        return [Problem(f"{file.name}: metadata.name", f"{policy.name!r} is in {where.name} already")]
    shared = sorted(_buckets(policy) & _buckets(other))
    if shared:
        owner = f"policy {other.name} ({where.name})"
        return [Problem(f"{file.name}: spec.storage.bucket", f"{shared[0]!r} belongs to {owner} already")]
    return []


def _buckets(policy: Policy) -> set[str]:
    return {tier.bucket(policy.storage.bucket) for tier in policy.storage.tiers.tiers}
