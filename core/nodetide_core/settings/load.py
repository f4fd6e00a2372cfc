"""Settings from everywhere they may be written, strongest first: the command line, the environment,
``.env`` in the working directory, a secret file (``NAME_FILE`` names one, or a file called ``NAME``
in ``NODETIDE_SECRETS_DIR``), the default."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from nodetide_core.durations import format_duration
from nodetide_core.errors import ConfigError
from nodetide_core.settings.table import Setting, Settings, all_settings
from nodetide_core.settings.values import parse_seconds

__all__ = ["SECRETS_DIR", "Effective", "Loaded", "load_settings", "unknown_variables"]

SECRETS_DIR = "NODETIDE_SECRETS_DIR"
#: Where a URL may carry a secret though it must not: before the host, and in the query.
_URL_SECRETS = re.compile(r"^.*(?=@)|(?<=[?#]).+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Effective:
    """A setting as it is in force; ``shown`` never holds a secret."""

    name: str
    shown: str
    source: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each came from.

    Attributes:
        files: by variable, the file a secret was read from: what is rotated there is to be read again.
    """

    settings: Settings
    effective: tuple[Effective, ...]
    files: Mapping[str, Path]

    def of(self, command: str) -> tuple[Effective, ...]:
        """Those that ``command`` uses."""
        used = {spec.name for _, spec, _ in all_settings() if command in spec.commands}
        return tuple(item for item in self.effective if item.name in used)


def load_settings(
    environ: Mapping[str, str], *, dotenv: Path | None = None, overrides: Mapping[str, str] | None = None
) -> Loaded:
    """Settings from everywhere they may be written.

    Args:
        environ: the environment.
        dotenv: a ``.env`` file; ignored if it is not there.
        overrides: from the command line, by variable name.

    Raises:
        ConfigError: the first value that is wrong.
    """
    written = _read_dotenv(dotenv)
    layers = (
        ("command line", dict(overrides or {})),
        ("environment", {key: value for key, value in environ.items() if value != ""}),
        (".env", written),
    )
    everything = {**written, **layers[1][1], **layers[0][1]}
    values: dict[str, Any] = {}
    effective: list[Effective] = []
    files: dict[str, Path] = {}
    for attribute, spec, _ in all_settings():
        found = _find(spec, layers, everything)
        if found.raw is not None:
            values[attribute] = _parse(spec, found.raw)
        if found.file is not None:
            files[spec.name] = found.file
        effective.append(Effective(spec.name, "", found.source))
    settings = Settings(**values)
    shown = (_show(spec, getattr(settings, attribute)) for attribute, spec, _ in all_settings())
    told = tuple(dataclasses.replace(item, shown=text) for item, text in zip(effective, shown, strict=True))
    return Loaded(settings, told, files)


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Messages about ``NODETIDE_*`` variables that look like a misspelt setting.

    Kubernetes adds variables of its own for every Service (``NODETIDE_API_SERVICE_HOST``), so only
    near misses count.
    """
    known = [spec.name for _, spec, _ in all_settings()]
    known += [f"{spec.name}_FILE" for _, spec, _ in all_settings() if spec.secret]
    found = []
    for name in sorted(environ):
        if not name.startswith("NODETIDE_") or name in known or re.search(r"_(SERVICE|PORT)(_|$)", name):
            continue
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if close:
            found.append(f"{name} is not a setting; did you mean {close[0]}?")
    return found


class _Found(NamedTuple):
    raw: str | None
    source: str
    file: Path | None = None


def _find(spec: Setting, layers: tuple[tuple[str, dict[str, str]], ...], everything: Mapping[str, str]) -> _Found:
    for source, layer in layers:
        if spec.name in layer:
            return _Found(layer[spec.name], source)
    if spec.secret:
        named = everything.get(f"{spec.name}_FILE")
        if named:
            file = Path(named)
            if spec.may_come_later and not _exists(file) and file.parent.is_dir():
                return _Found(None, f"file {named}, not there yet", file)
            return _Found(_read_secret(f"{spec.name}_FILE", file), f"file {named}", file)
        directory = everything.get(SECRETS_DIR)
        if directory and _exists(file := Path(directory) / spec.name):
            return _Found(_read_secret(SECRETS_DIR, file), f"file {file}", file)
    return _Found(None, "default")


def _parse(spec: Setting, raw: str) -> Any:
    try:
        return spec.parse(raw)
    except ValueError as error:
        # A secret's value must not reach a log, not even a wrong one.
        given = "" if spec.secret else f" (given: {_URL_SECRETS.sub('***', raw)!r})"
        raise ConfigError(spec.name, f"{error}; allowed is {spec.allowed}{given}") from None


def _exists(file: Path) -> bool:
    try:
        file.stat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError):  # reading it says why it cannot be read
        return True
    return True


def _read_secret(name: str, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:  # whose message quotes the content
        raise ConfigError(name, f"cannot read {file}: not UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise ConfigError(name, f"cannot read {file}: {error}") from None


def _read_dotenv(file: Path | None) -> dict[str, str]:
    if file is None or not file.is_file():
        return {}
    from dotenv import dotenv_values  # only where there is a .env: the collector's image has none

    try:
        return {key: value for key, value in dotenv_values(file, interpolate=False).items() if value}
    except UnicodeDecodeError:
        raise ConfigError(str(file), "cannot be read: not UTF-8 text") from None
    except OSError as error:
        raise ConfigError(str(file), f"cannot be read: {error}") from None


def _show(spec: Setting, value: Any) -> str:
    if value is None:
        return spec.shown_default.strip("`") or "not set"
    if spec.secret:
        return "(set, not shown)"
    if isinstance(value, tuple):
        return ",".join(value) or "*"
    return format_duration(value) if spec.parse is parse_seconds else str(value)
