"""Reads: many at once, and one that is given up is broken off and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

import pytest
from sqlalchemy import Connection, text

from sysop.responsive import stay_responsive
from sysop.store import audit, mode
from sysop.store.store import Store

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def _endless(conn: Connection) -> None:
    conn.execute(text(ENDLESS)).all()


async def _given_up(store: Store, after: float) -> None:
    reading = asyncio.ensure_future(store.read(_endless))
    await asyncio.sleep(after)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("after", [0.0, 0.2])
async def test_a_read_that_is_given_up_keeps_neither_its_thread_nor_its_connection(url: str, after: float) -> None:
    store = Store.open(url)
    for _ in range(12):  # more than there are threads
        await _given_up(store, after)
    assert await store.read(audit.count) == 0
    began = time.monotonic()
    await store.close()
    assert time.monotonic() - began < 10
    assert not [one for one in threading.enumerate() if one.name.startswith("sysop-reader")]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_giving_up_one_read_does_not_break_off_another(url: str) -> None:
    store = Store.open(url)
    await store.write(lambda tx: mode.write(tx, paused=True, by="x", reason="y"))

    async def short() -> int:
        return sum([(await store.read(mode.read)).paused for _ in range(200)])

    found = await asyncio.gather(short(), short(), *(_given_up(store, n / 1000) for n in range(40)))
    assert found[:2] == [200, 200]
    await store.close()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_loop_may_end_while_something_reads(url: str) -> None:
    stores = []

    async def leave() -> None:
        stores.append(Store.open(url))
        reading = asyncio.ensure_future(stores[0].read(_endless))
        await asyncio.sleep(0.05)
        reading.cancel()  # and nobody waits for what becomes of it

    asyncio.run(leave())
    asyncio.run(stores[0].close())


def test_what_is_there_once_all_is_loaded_is_not_looked_through_again() -> None:
    before = gc.get_threshold()
    try:
        stay_responsive()
        assert gc.get_freeze_count() > 10_000
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
