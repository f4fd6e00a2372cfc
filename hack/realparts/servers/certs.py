"""A certificate authority for tests, and what it signs: good enough for strict verification."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

# Python 3.13 refuses chains whose authority lacks the key usage, or where key identifiers are missing.
_CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign,digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
"""
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650"]


@dataclass(frozen=True)
class Pair:
    """PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Authority:
    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Authority:
        folder.mkdir(parents=True)
        (folder / "openssl.cnf").write_text(_CONFIG)
        made = cls(folder)
        made._openssl("ca", "/CN=nodetide tests", "authority", [])
        return made

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def key(self) -> Path:
        return self.folder / "ca.key"

    def issue(self, name: str, *, user: str = "", group: str = "", hosts: Sequence[str] = ()) -> Pair:
        """Sign for a server on `hosts` (names or addresses), or for a client: Kubernetes reads user and group."""
        subject = (f"/O={group}" if group else "") + f"/CN={user or name}"
        extra = ["-CA", str(self.certificate), "-CAkey", str(self.key)]
        if hosts:
            extra += ["-addext", "subjectAltName=" + ",".join(_alternative(host) for host in hosts)]
        return self._openssl(name, subject, "leaf", extra)

    def _openssl(self, name: str, subject: str, extensions: str, extra: Sequence[str]) -> Pair:
        pair = Pair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        argv = ["openssl", "req", "-x509", "-config", str(self.folder / "openssl.cnf"), *_KEY]
        argv += ["-subj", subject, "-extensions", extensions, *extra]
        argv += ["-out", str(pair.certificate), "-keyout", str(pair.key)]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise OSError(f"openssl could not make {pair.certificate}: {done.stderr.strip()}")
        return pair


def trusting(authority: Path, identity: Pair | None = None) -> ssl.SSLContext:
    """Verify servers against `authority`, as strictly as Python 3.13; show them `identity`."""
    context = ssl.create_default_context(cafile=authority)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if identity is not None:
        context.load_cert_chain(identity.certificate, identity.key)
    return context


def _alternative(host: str) -> str:
    try:
        return f"IP:{ip_address(host)}"
    except ValueError:
        return f"DNS:{host}"
