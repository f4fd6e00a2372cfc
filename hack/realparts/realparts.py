"""Get the real programs that the tests and benches run against.

    python hack/realparts/realparts.py                    get every part
    python hack/realparts/realparts.py telegraf           get the named ones
    python hack/realparts/realparts.py --group metrics    or a group: metrics, cluster, node, images
    python hack/realparts/realparts.py --list             name, version, present or not, path

What is built or unpacked is kept, by version, under $NODETIDE_CACHE, else
$XDG_CACHE_HOME/nodetide, else ~/.cache/nodetide: a second run costs nothing.

From Python (with this folder on sys.path): `realparts.path("telegraf")` answers at
once and never builds; `realparts.get("telegraf")` gets the part if it is missing.
To add a part, see parts/__init__.py.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from parts import GROUPS, OPTIONAL, PARTS
from parts.part import Part
from parts.steps import StepFailed

_BY_NAME: dict[str, Part] = {part.name: part for part in PARTS}


def path(name: str) -> Path | None:
    """The named part's program, or None while it has not been got."""
    return _BY_NAME[name].path()


def get(name: str) -> Path:
    """The named part's program, got first if need be; StepFailed says why it can't be."""
    return _BY_NAME[name].get()


def optional(name: str) -> bool:
    """Whether a machine may do without the named part, in CI too."""
    return any(_BY_NAME[name] in GROUPS[group] for group in OPTIONAL)


def command(name: str) -> str:
    """The command, from the repository's root, that gets the named part."""
    return f"python hack/realparts/realparts.py {name}"


def _list(names: Sequence[str]) -> None:
    rows = [("NAME", "VERSION", "PRESENT", "PATH")]
    for part in (_BY_NAME[name] for name in names):
        found = part.path()
        rows.append((part.name, part.version(), "yes" if found else "no", str(found or part.expected())))
    wide = [max(len(row[column]) for row in rows) for column in range(3)]
    for name, version, present, where in rows:
        print(f"{name:{wide[0]}}  {version:{wide[1]}}  {present:{wide[2]}}  {where}")


def _get_all(names: Sequence[str]) -> int:
    failed = 0
    for name in names:
        cached = path(name) is not None
        started = time.monotonic()
        try:
            program = get(name)
        except StepFailed as error:
            failed += not optional(name)
            print(error, file=sys.stderr, flush=True)
            continue
        how = "present" if cached else f"got in {time.monotonic() - started:.1f} s"
        print(f"{name} {_BY_NAME[name].version()}: {how}: {program}", flush=True)
    return 1 if failed else 0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Get the real programs that the tests and benches run against.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(_BY_NAME)}")
    parser.add_argument("--group", action="append", default=[], choices=GROUPS, help="the group's parts; repeatable")
    parser.add_argument("--list", action="store_true", help="say what there is, get nothing")
    args = parser.parse_args(argv)
    unknown = [name for name in args.names if name not in _BY_NAME]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)} (there are: {', '.join(_BY_NAME)})")
    grouped = [part.name for group in args.group for part in GROUPS[group]]
    names = list(dict.fromkeys([*args.names, *grouped])) or list(_BY_NAME)
    if args.list:
        _list(names)
        return 0
    return _get_all(names)


if __name__ == "__main__":
    sys.exit(main())
