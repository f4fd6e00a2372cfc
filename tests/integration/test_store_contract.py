"""The contract, held by the oracle and by the embedded store."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.contracts.reference_store import ReferenceStore
from tests.contracts.store_contract import Clock, StoreContract, memory_directory

from nodetide_core.stores.embedded import EmbeddedStore

EPOCH = 20_000 * 86_400


class ReferenceWorld:
    def __init__(self) -> None:
        self.epoch = EPOCH
        self.clock = Clock(EPOCH)
        self._store = ReferenceStore(self.clock)

    def open(self) -> ReferenceStore:
        self._store.reopen()
        return self._store


class EmbeddedWorld:
    """With blocks of a few minutes, so that sealing takes part."""

    def __init__(self, directory: Path) -> None:
        self.epoch = EPOCH
        self.clock = Clock(EPOCH)
        self.directory = directory
        self.store: EmbeddedStore | None = None

    def open(self) -> EmbeddedStore:
        self.close()
        self.store = EmbeddedStore.open(self.directory, clock=self.clock, block_seconds=200)
        return self.store

    def close(self) -> None:
        if self.store is not None:
            self.store.close()


@contextmanager
def reference_world() -> Iterator[ReferenceWorld]:
    yield ReferenceWorld()


@contextmanager
def embedded_world() -> Iterator[EmbeddedWorld]:
    with tempfile.TemporaryDirectory(dir=memory_directory()) as directory:
        world = EmbeddedWorld(Path(directory))
        try:
            yield world
        finally:
            world.close()


class TestReferenceStore(StoreContract):
    world = staticmethod(reference_world)


class TestEmbeddedStore(StoreContract):
    world = staticmethod(embedded_world)
