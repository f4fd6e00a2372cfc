"""Requests to the apiserver.

The one file that knows the Kubernetes client; what watches bring comes by `nodetide_operator.handlers`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as NoAnswer

from nodetide_core import __version__
from nodetide_core.errors import NodetideError, TemporaryError

__all__ = ["ApiClient", "Apiserver", "ClusterError", "ClusterRefused", "ClusterUnavailable", "connect"]


_PAGE = 200
#: Seconds for one request.
_TIMEOUT = 30.0
_JSON = "application/json"
#: Refusals that another attempt may not meet: a token about to be renewed, an apiserver that is busy.
_PASSING = (401, 408, 429)
#: Without types of their own.
_LOAD_POD: Callable[..., None] = config.load_incluster_config
_LOAD_FILE: Callable[..., None] = config.load_kube_config


class ClusterError(NodetideError):
    """The apiserver did not do what it was asked; the message says what that was."""


class ClusterUnavailable(ClusterError, TemporaryError):
    """It does not answer, or cannot now."""


class ClusterRefused(ClusterError):
    """It refuses: a right is missing, something is not there, or is not as it must be.

    Attributes:
        status: of HTTP, 400 to 499.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def connect() -> ApiClient:
    """From within a pod, or by ``KUBECONFIG``.

    Raises:
        ClusterUnavailable: there is no way to reach a cluster.
    """
    configuration = Configuration()
    try:
        try:
            _LOAD_POD(configuration)
        except config.ConfigException:
            _LOAD_FILE(client_configuration=configuration)
    except (config.ConfigException, OSError) as error:
        raise ClusterUnavailable(f"no cluster is configured, neither in a pod nor by KUBECONFIG: {error}") from None
    # A turn that fails is tried again as a whole, and until then its failure is told.
    configuration.retries = False
    api = ApiClient(configuration)
    # Also what its writes are known by in `metadata.managedFields`.
    api.user_agent = f"nodetide-operator/{__version__}"
    return api


class Apiserver:
    """JSON to JSON; safe to share between threads."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def items(self, path: str, accept: str = _JSON) -> Iterator[Mapping[str, Any]]:
        """Of a list, page by page, as of one moment.

        Raises:
            ClusterUnavailable, ClusterRefused: also after some items.
        """
        follow = ""
        while True:
            query = [("limit", _PAGE), *([("continue", follow)] if follow else [])]
            page = self.call("GET", path, query=query, accept=accept) or {}
            yield from page.get("items") or ()
            follow = (page.get("metadata") or {}).get("continue") or ""
            if not follow:
                return

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Sequence[tuple[str, Any]] = (),
        absent: Sequence[int] = (),
        accept: str = _JSON,
        hide: Sequence[str] = (),
    ) -> Mapping[str, Any] | None:
        """The answer, or None where its status is one of ``absent``.

        Args:
            hide: what no message may show, whatever the apiserver, or a webhook behind it, answers.

        Raises:
            ClusterUnavailable, ClusterRefused
        """
        asked = f"{method} {path}"
        kind = "application/merge-patch+json" if method == "PATCH" else _JSON
        headers = {"Accept": accept, "Content-Type": kind}
        try:
            request = self._api.param_serialize(
                method, path, query_params=list(query), header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            answer: Any = self._api.call_api(*request, _request_timeout=_TIMEOUT)
            status, data = int(answer.status), answer.read()
        except NewConnectionError as error:  # a time-out, too, for urllib3
            raise ClusterUnavailable(f"{asked}: {error}") from None
        except NoAnswer:
            raise ClusterUnavailable(f"{asked}: no answer within {_TIMEOUT:.0f} s") from None
        except ApiException as error:
            raise ClusterUnavailable(f"{asked}: {' '.join(str(error.reason).split())}") from None
        except (HTTPError, OSError, config.ConfigException) as error:
            raise ClusterUnavailable(f"{asked}: {error}") from None
        except ValueError:
            # Its message would show the header, and with it the token.
            raise ClusterUnavailable(f"{asked}: it cannot be sent; a token is one line of ASCII text") from None
        found = _parsed(data)
        if status in absent:
            return None
        if status >= 300:
            told = str((found or {}).get("message") or answer.reason or "")
            for secret in hide:
                told = told.replace(secret, "***")
            message = f"{asked}: {status} {told}".rstrip()
            if 400 <= status < 500 and status not in _PASSING:
                raise ClusterRefused(message, status)
            raise ClusterUnavailable(message)
        if found is None:
            raise ClusterUnavailable(f"{asked}: what answers is not a Kubernetes apiserver")
        return found


def _parsed(data: bytes) -> Mapping[str, Any] | None:
    """The object; None where it is none, as in some refusals."""
    try:
        found = json.loads(data or b"{}")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
