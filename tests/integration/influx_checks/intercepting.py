"""A proxy on loopback that ends TLS for the hosts that it stands in for, and lets nobody through to any other."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from servers.certs import Authority

__all__ = ["Intercepted", "Taken", "intercepting"]


@dataclass(frozen=True)
class Taken:
    """One request that was taken over TLS.

    Attributes:
        headers: with names in small letters.
    """

    host: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class Intercepted:
    """
    Attributes:
        environment: of a program that is to have no other way out.
        taken: requests to the hosts, in order.
        refused: what was asked for beside them.
        answers: status and body that each host answers with.
    """

    environment: Mapping[str, str]
    answers: Mapping[str, tuple[int, bytes]]
    taken: list[Taken] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def by(self, host: str) -> list[Taken]:
        return [request for request in list(self.taken) if request.host == host]


@contextmanager
def intercepting(folder: Path, answers: Mapping[str, tuple[int, bytes]]) -> Iterator[Intercepted]:
    """
    Args:
        folder: for its certificates.
        answers: by host; on port 443.
    """
    authority = Authority.create(folder)
    contexts = {host: _context(authority, host) for host in answers}
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    environment = {
        "HTTPS_PROXY": address, "HTTP_PROXY": address, "NO_PROXY": "127.0.0.1,localhost",
        "SSL_CERT_FILE": str(authority.certificate),
    }  # fmt: skip
    found = Intercepted(environment, answers)
    server.RequestHandlerClass = _proxy(found, contexts)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join(30)
        server.server_close()


def _context(authority: Authority, host: str) -> ssl.SSLContext:
    pair = authority.issue(host, hosts=[host])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def _proxy(found: Intercepted, contexts: Mapping[str, ssl.SSLContext]) -> type[BaseHTTPRequestHandler]:
    class Proxy(BaseHTTPRequestHandler):
        timeout = 60

        def do_CONNECT(self) -> None:
            host, _, port = self.path.rpartition(":")
            if host not in contexts or port != "443":
                self._refuse()
                return
            self.send_response(200)
            self.end_headers()
            self.close_connection = True
            with contexts[host].wrap_socket(self.connection, server_side=True) as inside:
                _vendor(found, host)(inside, self.client_address, self.server)

        def _refuse(self) -> None:
            found.refused.append(f"{self.command} {self.path}")
            self.send_error(403)

        do_GET = do_POST = do_PUT = do_HEAD = _refuse

        def log_message(self, format: str, *args: Any) -> None: ...

    return Proxy


def _vendor(found: Intercepted, host: str) -> type[BaseHTTPRequestHandler]:
    class Vendor(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.taken.append(Taken(host, self.command, self.path, headers, body))
            status, said = found.answers[host]
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None: ...

    return Vendor
