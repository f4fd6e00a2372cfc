"""Keeping tokens in InfluxDB as `nodetide_core.stores.influx.tokens` plans them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from nodetide_core.stores.influx.control import Control
from nodetide_core.stores.influx.tokens import Grant, SeenToken, describe_token, fingerprint, plan_tokens

__all__ = ["TokenVault", "keep_tokens"]


class TokenVault(Protocol):
    """Where tokens are kept for those who use them."""

    def held(self, name: str) -> str | None:
        """The token kept under a name."""

    def keep(self, name: str, token: str) -> None:
        """Keep a token in place of the one before it, at once and whole."""


def keep_tokens(
    control: Control, vault: TokenVault, owner: str, grants: Sequence[Grant], now: int, *, alone: bool = False
) -> tuple[str, ...]:
    """Make what is missing, hand it over, and remove what is not used any more.

    Where it fails, or ends, between two steps, calling again gives the rest.

    Args:
        alone: see `nodetide_core.stores.influx.tokens.plan_tokens`.

    Returns:
        What was done, for people.

    Raises:
        StoreUnavailable: InfluxDB does not answer, or the token used may not do this.
        StoreRejected: InfluxDB refuses, for instance to give what the token used may not do itself.
    """
    held = {grant.name: fingerprint(token) for grant in grants if (token := vault.held(grant.name))}
    plan = plan_tokens(owner, grants, [_seen(item) for item in control.authorizations()], held, now, alone=alone)
    done = []
    for grant in plan.make:
        made = control.authorize(describe_token(owner, grant.name), grant.read, grant.write)
        try:
            # First, so that what is kept is always known.
            control.describe_authorization(made["id"], describe_token(owner, grant.name, fingerprint(made["token"])))
            vault.keep(grant.name, made["token"])
        except Exception:
            # It is nobody's, and where this never works there would be ever more of them.
            if vault.held(grant.name) != made["token"]:
                control.revoke(made["id"])
            raise
        done.append(f"made token {grant.name}")
    for id in plan.delete:
        control.revoke(id)
        done.append(f"deleted token {id}")
    return tuple(done)


def _seen(item: dict[str, Any]) -> SeenToken:
    ids: dict[str, set[str]] = {"read": set(), "write": set()}
    more = False
    for permission in item.get("permissions") or []:
        resource = permission["resource"]
        if resource.get("type") == "buckets" and resource.get("id"):
            ids[permission["action"]].add(resource["id"])
        else:
            more = True
    created = datetime.fromisoformat(f"{item['createdAt'][:19]}+00:00")
    return SeenToken(
        item["id"], item.get("description", ""), frozenset(ids["read"]), frozenset(ids["write"]), more,
        item.get("status") == "active", int(created.timestamp()),
    )  # fmt: skip
