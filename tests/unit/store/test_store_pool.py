"""Reads that nobody waits for end; closing waits for those that run."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from nodetide_core.errors import StoreUnavailable
from nodetide_core.stores.embedded.pool import ReaderPool

ENDLESS = "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t"


@pytest.fixture
def pool():
    def connect():
        return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)

    pool = ReaderPool(Path("file"), connect, threads=1)
    yield pool
    pool.close()


async def started(pool, work):
    """A task of the pool, after it has begun."""
    began = threading.Event()

    def run(connection, check):
        began.set()
        return work(connection, check)

    task = asyncio.create_task(pool.run(run))
    assert await asyncio.to_thread(began.wait, 60)
    return task


def endless_statement(connection, check):
    return connection.execute(ENDLESS).fetchone()


def endless_loop(connection, check):
    while True:
        check()


@pytest.mark.parametrize("work", [endless_statement, endless_loop])
async def test_a_reader_that_leaves_frees_its_thread(pool, work):
    task = await started(pool, work)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await pool.run(lambda connection, _: connection.execute("SELECT 1").fetchone()) == (1,)


@pytest.mark.parametrize("work", [endless_statement, endless_loop])
async def test_closing_ends_what_runs_and_what_waits(pool, work):
    running = await started(pool, work)
    waiting = asyncio.create_task(pool.run(work))
    await asyncio.sleep(0)
    await asyncio.to_thread(pool.close)
    for task in (running, waiting):
        with pytest.raises(StoreUnavailable):
            await task
    with pytest.raises(StoreUnavailable, match="closed"):
        await pool.run(work)


async def test_failures_of_the_database_are_those_of_a_store(pool):
    with pytest.raises(StoreUnavailable, match="no such table"):
        await pool.run(lambda connection, _: connection.execute("SELECT * FROM absent"))
    assert await pool.run(lambda connection, _: connection.in_transaction)
