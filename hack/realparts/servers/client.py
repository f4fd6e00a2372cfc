"""HTTP calls to the servers, with nothing beside the standard library."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class CallFailed(OSError):
    """No usable answer, or one of 400 and above: then `status` says which (0 if there was none)."""

    def __init__(self, call: str, status: int, reason: str) -> None:
        self.status = status
        super().__init__(f"{call}: {status or 'no answer'}: {reason}")


@dataclass(frozen=True)
class Client:
    """Calls to one server; proxies that the environment names are not for loopback, and not used."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    timeout: float = 60
    """Of one step on the connection, in seconds."""

    def call(self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Any:
        """Send text and bytes as they are and anything else as JSON; JSON comes back read, the rest as text.

        Raises CallFailed.
        """
        payload, kind = _encoded(body)
        request = urllib.request.Request(
            self.url + path, data=payload, method=method, headers={**kind, **self.headers, **(headers or {})}
        )
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.tls)
        )
        call = f"{method} {path}"
        try:
            with opener.open(request, timeout=self.timeout) as answer:
                text = answer.read().decode()
                is_json = answer.headers.get_content_type() == "application/json"
                return json.loads(text) if is_json and text else text
        except urllib.error.HTTPError as error:
            with error:
                raise CallFailed(call, error.code, error.read().decode(errors="replace").strip()) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CallFailed(call, 0, str(error) or type(error).__name__) from error


def _encoded(body: object) -> tuple[bytes | None, dict[str, str]]:
    if body is None:
        return None, {}
    if isinstance(body, bytes):
        return body, {"Content-Type": "application/octet-stream"}
    if isinstance(body, str):
        return body.encode(), {"Content-Type": "text/plain; charset=utf-8"}
    return json.dumps(body).encode(), {"Content-Type": "application/json"}
