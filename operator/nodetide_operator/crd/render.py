"""The definition as YAML, as ``manifests/crd.yaml`` holds it."""

from __future__ import annotations

from typing import Any

import yaml

from nodetide_operator.crd.definition import definition

__all__ = ["render"]


class _Dumper(yaml.SafeDumper):
    """Writes what is used twice out twice: people read this, and some tools know no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def render() -> str:
    return yaml.dump(definition(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
