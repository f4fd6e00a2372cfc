"""Flux, asked of InfluxDB; the answer is annotated CSV."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import quote

from nodetide_core.stores.influx.caller import Caller

__all__ = ["ask_flux"]


def ask_flux(
    caller: Caller, org: str, text: str, *, annotations: Sequence[str], doing: str, token: str | None = None
) -> bytes:
    """
    Args:
        token: None is the caller's own.

    Raises:
        StoreUnavailable, StoreRejected: the query cannot begin; where it fails later, the answer says so.
    """
    body = {"query": text, "type": "flux", "dialect": {"annotations": list(annotations), "header": True}}
    headers = {"Content-Type": "application/json", "Accept": "application/csv"}
    if token is not None:
        headers["Authorization"] = f"Token {token}"
    path = f"/api/v2/query?org={quote(org, safe='')}"
    return caller.send("POST", path, json.dumps(body).encode(), headers, doing=doing).body
