"""Images in stock: built once for what they are made of, and kept with the real parts."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from parts import cache

from .archive import layers
from .images import ImageBuilder
from .program import program
from .recipes import Recipe, base

_KEPT = 2
_MOST_IMAGES = 300


def archives(recipes: Iterable[Recipe]) -> list[Path]:
    """An archive of each image, as ``docker load`` takes it; built where there is none yet.

    Raises:
        PartMissing, BuildFailed
    """
    with cache.locked("images"):
        found = []
        for recipe in recipes:
            archive = _archive(recipe)
            found.append(archive if archive.exists() else _build(recipe))
            os.utime(found[-1])  # in use: what was not for longest goes first
            _forget_old(recipe)
        return found


def _folder() -> Path:
    return cache.root() / "images"


def _slug(recipe: Recipe) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", recipe.name.lower())


def _archive(recipe: Recipe) -> Path:
    return _folder() / f"{_slug(recipe)}-{recipe.digest()}.tar"


def _builder() -> ImageBuilder:
    """One that still has the steps of earlier builds, from the base that there is now."""
    store = _folder() / f"store-{program('python-base').parent.name}"
    store.mkdir(parents=True, exist_ok=True)
    builder = ImageBuilder(store, layers=True)
    if len(builder.names()) > _MOST_IMAGES:
        builder.clear()
        store.mkdir()
    if not builder.has(base()):
        builder.base(base())
    return builder


def _build(recipe: Recipe) -> Path:
    print(f"{recipe.name}: building ...", file=sys.stderr, flush=True)
    started = time.monotonic()
    builder = _builder()
    with tempfile.TemporaryDirectory(prefix="nodetide-image-") as folder:
        copy = recipe.copied(Path(folder))
        archive = _archive(copy)
        for name in recipe.programs:
            shutil.copy(program(name), copy.context / name)
        builder.build(copy.context, copy.file, recipe.name, **recipe.arguments)
    unfinished = archive.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    builder.save(recipe.name, unfinished).rename(archive)
    sizes = layers(archive)
    above = f", {sum(sizes[1:]) / 1e6:.1f} MB of it not its base's" if recipe.has_base() else ""
    took = time.monotonic() - started
    print(f"{recipe.name}: {took:.1f} s, {sum(sizes) / 1e6:.1f} MB{above}", file=sys.stderr, flush=True)
    return archive


def _forget_old(recipe: Recipe) -> None:
    kept = sorted(_folder().glob(f"{_slug(recipe)}-{'?' * 16}.tar"), key=lambda file: file.stat().st_mtime)
    for old in kept[:-_KEPT]:
        old.unlink()
