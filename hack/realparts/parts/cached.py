"""A part that is built or unpacked into the cache."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import cache
from .steps import Steps

_UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class CachedPart:
    """`build` fills a folder it is given; `program` is the main file's place in there.

    `recipe` is whatever else decides the outcome (build tags, a go.sum): when it
    changes, the part is built anew beside the old one.
    """

    name: str
    pinned: str
    program: str
    build: Callable[[Steps, Path], None]
    recipe: Callable[[], bytes] = bytes

    def version(self) -> str:
        return self.pinned

    def expected(self) -> Path:
        return self.folder() / self.program

    def path(self) -> Path | None:
        program = self.expected()
        return program if program.is_file() else None

    def get(self) -> Path:
        found = self.path()
        if found is not None:
            return found
        with cache.locked(self.name):
            found = self.path()  # another run may have built it while this one waited
            return found if found is not None else self._make()

    def folder(self) -> Path:
        digest = hashlib.sha256(self.recipe()).hexdigest()[:8]
        return cache.root() / self.name / f"{self.pinned}-{digest}"

    def _make(self) -> Path:
        final = self.folder()
        final.parent.mkdir(parents=True, exist_ok=True)
        for left_over in final.parent.glob(f"{_UNFINISHED}*"):  # of a run that was killed
            shutil.rmtree(left_over)
        steps = Steps.begin(self.name)
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=final.parent))
        try:
            unfinished.chmod(0o755)
            self.build(steps, unfinished)
            if not (unfinished / self.program).is_file():
                raise steps.failed("look for the outcome", f"no {self.program} was made")
            shutil.rmtree(final, ignore_errors=True)  # there only if its program was removed
            unfinished.rename(final)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return self.expected()
