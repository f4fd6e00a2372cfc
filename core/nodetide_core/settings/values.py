"""How the text of a setting becomes its value; each docstring is what error messages say is allowed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from nodetide_core.durations import parse_duration

__all__ = [
    "Address",
    "parse_address",
    "parse_level",
    "parse_namespaces",
    "parse_off_or_address",
    "parse_output",
    "parse_path",
    "parse_seconds",
    "parse_size",
    "parse_text",
    "parse_url",
]

_LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. Port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_text(value: str) -> str:
    """text, not empty."""
    if not value.strip():
        raise ValueError("is empty")
    return value.strip()


def parse_path(value: str) -> Path:
    """a path."""
    try:
        return Path(parse_text(value)).expanduser()
    except RuntimeError:
        raise ValueError("names the home directory of a user there is not") from None


def parse_output(value: str) -> Path | None:
    """a path, or `-` for standard output."""
    return None if value == "-" else parse_path(value)


def parse_url(value: str) -> str:
    """a URL such as `http://localhost:8086`."""
    try:
        parts = urlsplit(value.strip())
        port = parts.port
    except ValueError:  # whose message quotes what may be a password
        raise ValueError("is not an http or https URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("is not an http or https URL")
    if parts.username or parts.password:
        raise ValueError("must not carry a user or password; use the token")
    if parts.query or parts.fragment:
        raise ValueError("must not carry a query or fragment")
    return value.strip().rstrip("/")


def parse_address(value: str) -> Address:
    """`host:port`, such as `127.0.0.1:8000` or `[::1]:8000`; `:8000` listens on all addresses."""
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\s]*)):([0-9]{1,5})", value.strip())
    if not match or int(match[3]) > 65_535:
        raise ValueError("is not host:port")
    return Address(match[1] or match[2] or "0.0.0.0", int(match[3]))  # noqa: S104 (asked for by an empty host)


def parse_off_or_address(value: str) -> Address | None:
    """`host:port`, or `off`."""
    return None if value.strip().lower() in ("", "off") else parse_address(value)


def parse_seconds(value: str) -> int:
    """a duration of at least `1s`, such as `1s` or `5m`."""
    try:
        seconds = parse_duration(value.strip())
    except ValueError:
        raise ValueError("is not a duration") from None
    if seconds < 1:
        raise ValueError("is shorter than a second")
    return seconds


_SIZES = {"": 1, "ki": 2**10, "mi": 2**20, "gi": 2**30, "k": 10**3, "m": 10**6, "g": 10**9}


def parse_size(value: str) -> int:
    """a size of at least 1Mi, such as `256Mi` or `1Gi`."""
    match = re.fullmatch(r"([0-9]{1,12})(ki|mi|gi|k|m|g)?b?", value.strip().lower())
    if not match:
        raise ValueError("is not a size")
    size = int(match[1]) * _SIZES[match[2] or ""]
    if size < 2**20:
        raise ValueError("is too small")
    return size


def parse_namespaces(value: str) -> tuple[str, ...]:
    """names of namespaces with commas between them, or `*` for all of them."""
    if value.strip() == "*":
        return ()
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    if not names or not all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name) for name in names):
        raise ValueError("is not a list of namespaces")
    return names


def parse_level(value: str) -> str:
    """`debug`, `info`, `warning` or `error`."""
    if value.strip().lower() not in _LOG_LEVELS:
        raise ValueError("is not a log level")
    return value.strip().lower()
