"""Images that a cluster needs, and what each is made of: it tells when one has to be built again."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from .program import program

_REPOSITORY = Path(__file__).resolve().parents[3]
_CHART = _REPOSITORY / "charts" / "nodetide"
OURS = ("collector", "api", "operator")
_STAND_INS = Path(__file__).resolve().parent.parent / "stand_ins"
_IGNORE = ".dockerignore"
_BASE = re.compile(r"^ARG PYTHON=(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Recipe:
    """An image to be.

    Attributes:
        name: by which pods ask for it.
        file: its Dockerfile.
        context: the folder that it is built from.
        programs: real parts that it is given beside that folder's files.
        arguments: values of its ARGs.
    """

    name: str
    file: Path
    context: Path
    programs: tuple[str, ...] = ()
    arguments: Mapping[str, str] = field(default_factory=dict)

    def digest(self, find: Callable[[str], Path] = program) -> str:
        """Changes with anything that the image is made of; `find` gives the path of a real part."""
        made = hashlib.sha256(self.name.encode())
        for text in (*self.programs, *(str(find(name)) for name in (*self.programs, "python-base"))):
            made.update(text.encode() + b"\0")
        for path in (self.file, *sorted(files(self.context))):
            name = path.relative_to(self.context) if path != self.file else "Dockerfile"
            content = path.read_bytes()
            made.update(f"{name}\0{len(content)}\0".encode() + content)
        made.update(repr(sorted(self.arguments.items())).encode())
        return made.hexdigest()[:16]

    def has_base(self) -> bool:
        """Whether it begins from what the project's images begin from."""
        return "FROM scratch" not in self.file.read_text()

    def copied(self, to: Path) -> Recipe:
        """The same, of copies in a new folder: work goes on meanwhile in the one that they are of."""
        context = to / "context"
        for path in files(self.context):
            copy = context / path.relative_to(self.context)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
        if (self.context / _IGNORE).exists():
            shutil.copy(self.context / _IGNORE, context)
        return replace(self, context=context, file=Path(shutil.copy(self.file, to / "Dockerfile")))


def ours(part: str, name: str) -> Recipe:
    """The image of one of the project's parts, from its own Dockerfile."""
    return Recipe(name, _REPOSITORY / part / "Dockerfile", _REPOSITORY)


def influxdb(name: str) -> Recipe:
    """The real influxd, in a stand-in for InfluxDB's own image."""
    return _stand_in("influxdb", name, ("influxd",))


def alertmanager(name: str) -> Recipe:
    """The real Alertmanager, in a stand-in for its own image."""
    return _stand_in("alertmanager", name, ("alertmanager", "amtool"))


def all_of_the_chart() -> list[Recipe]:
    """Every image of charts/nodetide by the name that it has there, but for Grafana's, which is not to be had."""
    import yaml  # which only the environment for development has

    version = re.search(r"^appVersion: (\S+)$", (_CHART / "Chart.yaml").read_text(), re.MULTILINE)
    if version is None:
        raise LookupError("Chart.yaml has no appVersion")
    values = yaml.safe_load((_CHART / "values.yaml").read_text())
    parts = [ours(part, f"{values[part]['image']['repository']}:{version[1]}") for part in OURS]
    others = {"influxdb": influxdb, "alertmanager": alertmanager}
    images = {name: values[name]["image"] for name in others}
    return [*parts, *(make(f"{images[name]['repository']}:{images[name]['tag']}") for name, make in others.items())]


def base() -> str:
    """What the project's Dockerfiles begin from."""
    found = _BASE.search((_REPOSITORY / "api" / "Dockerfile").read_text())
    if found is None:
        raise LookupError("api/Dockerfile has no ARG PYTHON=…")
    return found[1]


def files(context: Path) -> Iterable[Path]:
    """What a build sees of a folder: all, or what its .dockerignore lets in.

    Raises:
        ValueError: the .dockerignore is not of the form that ours has: everything is out, some names of the
            folder's are in (`!name`), some names anywhere are out again (`**/name`).
    """
    ignore = context / _IGNORE
    lines = ignore.read_text().splitlines() if ignore.exists() else [f"!{path.name}" for path in context.iterdir()]
    rules = [line for line in lines if line and not line.startswith("#") and line != "*"]
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]
    out = {rule.removeprefix("**/") for rule in rules if rule.startswith("**/")}
    if len(let_in) + len(out) != len(rules):
        raise ValueError(f"{ignore}: only `*`, `!name` and `**/name` are understood")
    for name in let_in:
        top = context / name
        for path in (top, *top.glob("**/*")):
            if path.is_file() and out.isdisjoint(path.relative_to(context).parts):
                yield path


def _stand_in(folder: str, name: str, programs: tuple[str, ...]) -> Recipe:
    context = _STAND_INS / folder
    return Recipe(name, context / "Dockerfile", context, programs, {"PYTHON": base()})
