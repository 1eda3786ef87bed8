"""The writers: a unit is all or nothing, durable when it returns, and alone in its failure."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import sqlite3
import threading

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError

from scale import size
from sysop.errors import NotAllowed, StoreUnavailable
from sysop.store import audit, engine, mode
from sysop.store import tables as t
from sysop.store.engine import parse_url, sqlite_file
from sysop.store.store import Store
from sysop.store.writer import Tx

UNITS = size(20_000)
TWICE_EVERY = 58


def _keep(tx: Tx, key: str, chain: str) -> None:
    """A unit as the product writes them: a row that must be unique, and its audit entry before it."""
    tx.audit(chain, "test.kept", "tester", key=key)
    tx.conn.execute(insert(t.delivery).values(key=key, at=tx.now()))


async def test_of_many_units_with_duplicates_exactly_the_duplicates_are_refused(store: Store) -> None:
    units = UNITS if store.embedded else UNITS // 8
    keys = [f"k{n - 1 if n % TWICE_EVERY == 0 and n else n}" for n in range(units)]
    found = await asyncio.gather(
        *(store.write(lambda tx, key=key, n=n: _keep(tx, key, f"chain-{n % 7}")) for n, key in enumerate(keys)),
        return_exceptions=True,
    )
    refused = [one for one in found if one is not None]
    assert all(isinstance(one, IntegrityError) for one in refused), refused[0]
    assert len(refused) == len(keys) - len(set(keys)) > 0
    verified = await store.read(audit.verify)
    assert verified.ok, verified.problem
    assert (verified.entries, verified.chains) == (len(set(keys)), 7)
    assert await store.read(lambda conn: conn.scalar(text("SELECT count(*) FROM delivery"))) == len(set(keys))


@pytest.mark.parametrize(
    "error", [NotAllowed("no"), ValueError("bug"), StopIteration()], ids=lambda e: type(e).__name__
)
async def test_a_unit_that_fails_is_rolled_back_alone(store: Store, error: BaseException) -> None:
    def failing(tx: Tx) -> None:
        _keep(tx, "lost", "chain")
        raise error

    if isinstance(error, StopIteration) and not store.embedded:
        return  # Python itself turns it into a RuntimeError there, of another text
    some = [store.write(lambda tx, n=n: _keep(tx, f"k{n}", "chain")) for n in range(5)]
    found = await asyncio.gather(*some[:2], store.write(failing), *some[2:], return_exceptions=True)
    expected = RuntimeError if isinstance(error, StopIteration) else type(error)
    assert [type(one) for one in found] == [type(None), type(None), expected, *[type(None)] * 3]
    assert (await store.read(audit.verify)).ok
    assert await store.read(lambda conn: audit.count(conn, "chain")) == 5


def _append(url: str, who: int, units: int) -> None:
    async def work() -> None:
        store = Store.open(url, pool_size=4)
        for start in range(0, units, 10):
            await asyncio.gather(
                *(
                    store.write(lambda tx, n=n: _keep(tx, f"{who}-{n}", "shared" if n % 2 else f"own-{who}"))
                    for n in range(start, min(start + 10, units))
                )
            )
        await store.close()

    asyncio.run(work())


def test_processes_that_share_a_chain_lose_nothing_and_break_no_link(url: str) -> None:
    each = size(2000)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_append, args=(url, who, each)) for who in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0

    async def count() -> None:
        store = Store.open(url)
        verified = await store.read(audit.verify)
        assert (verified.problem, verified.entries, verified.chains) == (None, 2 * each, 3)
        await store.close()

    asyncio.run(count())


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_full_disk_refuses_the_write_and_the_next_one_works(store: Store) -> None:
    await store.write(lambda tx: _keep(tx, "before", "chain"))
    pages = await store.write(lambda tx: tx.conn.exec_driver_sql("PRAGMA page_count").scalar())
    await store.write(lambda tx: tx.conn.exec_driver_sql(f"PRAGMA max_page_count={pages}").scalar())

    def large(tx: Tx) -> None:
        _keep(tx, "large", "chain")
        tx.audit("chain", "test.large", "tester", text="x" * 100_000)

    found = await asyncio.gather(
        store.write(lambda tx: _keep(tx, "beside", "chain")), store.write(large), return_exceptions=True
    )
    assert isinstance(found[1], StoreUnavailable)
    assert "full" in str(found[1])
    assert "nothing was written" in str(found[1])
    file = sqlite_file(store.url)
    assert str(file) in str(found[1])
    assert f"free space at {file.parent}" in str(found[1])
    await store.write(lambda tx: tx.conn.exec_driver_sql("PRAGMA max_page_count=100000").scalar())
    await store.write(lambda tx: _keep(tx, "large", "chain"))
    verified = await store.read(audit.verify)
    assert verified.ok, verified
    assert verified.entries == 2 + (found[0] is None)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_database_locked_for_too_long_refuses_the_write_and_the_next_one_works(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 100)
    store = Store.open(url)
    other = sqlite3.connect(sqlite_file(parse_url(url)), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match=r"locked.*nothing was written.*another process"):
        await store.write(lambda tx: _keep(tx, "a", "chain"))
    assert await store.read(audit.count) == 0
    other.execute("ROLLBACK")
    other.close()
    await store.write(lambda tx: _keep(tx, "a", "chain"))
    assert await store.read(audit.count) == 1
    await store.close()


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_a_pool_without_a_free_connection_is_unavailable_and_not_a_bug(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(url, pool_size=1)
    store._reader.engine.sync_engine.pool._timeout = 0.1  # type: ignore[attr-defined]
    held = await store.claim_name("busy")
    assert held is not None
    for attempt in (store.read(audit.count), store.write(lambda tx: _keep(tx, "a", "c"))):
        with pytest.raises(StoreUnavailable, match="too busy"):
            await attempt
    await store.drop_name(held)
    await store.write(lambda tx: _keep(tx, "a", "c"))
    await store.close()


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_a_server_that_went_away_is_unavailable_and_comes_back(url: str, store: Store) -> None:
    await store.write(lambda tx: _keep(tx, "a", "c"))

    def cut(tx: Tx) -> None:
        _keep(tx, "b", "c")
        tx.conn.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(StoreUnavailable):
        await store.write(cut)
    await store.write(lambda tx: _keep(tx, "b", "c"))
    assert (await store.read(audit.verify)).entries == 2


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_nobody_at_the_address_is_said_without_the_password(url: str) -> None:
    store = Store.open("postgresql://sysop:hunter2hunter2@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable) as said:
        await store.write(lambda tx: tx.audit("c", "k", "a"))
    assert "hunter2" not in str(said.value) + store.place
    await store.close()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_clock_set_back_never_goes_below_the_newest_stored_time(url: str) -> None:
    time = [2_000_000]
    store = Store.open(url, clock=lambda: time[0])
    await store.write(lambda tx: tx.audit("c", "k", "a"))
    time[0] = 1_000_000
    assert await store.now() == 2_000_000
    entry = await store.write(lambda tx: tx.audit("c", "k", "a"))
    assert entry.ts == 2_000_000
    await store.close()
    again = Store.open(url, clock=lambda: time[0])
    assert await again.now() == 2_000_000
    time[0] = 3_000_000
    assert await again.now() == 3_000_000
    await again.close()


async def test_a_reader_cannot_write_on_sqlite(store: Store) -> None:
    if store.embedded:
        with pytest.raises(StoreUnavailable):
            await store.read(lambda conn: conn.execute(insert(t.delivery).values(key="a", at=1)))


async def test_text_that_no_database_can_keep_is_replaced_and_secrets_go(store: Store) -> None:
    ugly = "a\0b \ud800 password=hunter2hunter2"
    await store.write(lambda tx: mode.write(tx, paused=False, by="x", reason=ugly))
    found = await store.read(mode.read)
    assert found.reason == "a\ufffdb \ufffd password=[redacted]"


async def test_a_closed_store_refuses(url: str) -> None:
    store = Store.open(url)
    await store.write(lambda tx: _keep(tx, "a", "c"))
    await store.close()
    if store.embedded:
        with pytest.raises(StoreUnavailable, match="closed"):
            await store.write(lambda tx: _keep(tx, "b", "c"))


async def test_an_error_of_a_unit_whose_caller_was_cancelled_is_not_reported_as_lost(store: Store) -> None:
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context["message"]))
    held, go = threading.Event(), threading.Event()

    def failing(_tx: Tx) -> None:
        held.set()
        go.wait(30)
        raise NotAllowed("no")

    if not store.embedded:
        return  # there the unit is cancelled with its caller
    writing = asyncio.create_task(store.write(failing))
    await asyncio.to_thread(held.wait, 30)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    del writing
    go.set()
    await store.write(lambda tx: tx.now())
    gc.collect()
    await asyncio.sleep(0)
    assert told == []
