"""One CEL rule, and where in a schema it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Rule", "add", "at"]

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold, and what a person reads where it does not.

    Attributes:
        path: the schema it stands on, from the object's root: ``spec.alerts[]``, empty for the root.
        holds: CEL; ``self`` is the value at ``path``.
        message: what is allowed.
        field: the field below ``path`` that is named as wrong; empty for ``path`` itself.
        says: CEL of a message that names what is wrong; where it cannot be computed, ``message`` is used.
    """

    path: str
    holds: str
    message: str
    field: str = ""
    says: str = ""

    def validation(self) -> dict[str, str]:
        """The entry of ``x-kubernetes-validations``."""
        found = {"rule": self.holds, "message": self.message}
        if self.says:
            found["messageExpression"] = self.says
        if self.field:
            found["fieldPath"] = f".{self.field}"
        return found


def at(schema: Schema, path: str) -> Schema:
    """The part of ``schema`` at ``path``.

    Raises:
        KeyError: there is none.
    """
    for segment in filter(None, path.split(".")):
        schema = schema["properties"][segment.removesuffix("[]")]
        if segment.endswith("[]"):
            schema = schema["items"]
    return schema


def add(schema: Schema, rule: Rule) -> None:
    """Puts ``rule`` on its place in ``schema``, after those that stand there.

    Raises:
        KeyError: its path or its field is not in the schema.
    """
    target = at(schema, rule.path)
    at(target, rule.field)
    target.setdefault("x-kubernetes-validations", []).append(rule.validation())
