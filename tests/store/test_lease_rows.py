"""A duty has one holder; who lost it hears so before it writes anything more."""

from __future__ import annotations

import pytest

from sysop.errors import LeaseLost
from sysop.store import leases
from sysop.store.store import Store


async def take(store: Store, worker: str, ttl_ms: int = 60_000) -> int | None:
    return await store.write(lambda tx: leases.take(tx, "sender", worker, ttl_ms))


async def test_one_worker_at_a_time(store: Store) -> None:
    assert await take(store, "one") == 1
    assert await take(store, "two") is None


async def test_a_duty_that_ran_out_goes_to_the_next_and_the_first_is_told(store: Store) -> None:
    assert await take(store, "one", ttl_ms=0) == 1
    assert await take(store, "two") == 2
    with pytest.raises(LeaseLost):
        await store.write(lambda tx: leases.hold(tx, "sender", 1, 60_000))
    await store.write(lambda tx: leases.hold(tx, "sender", 2, 60_000))


async def test_a_duty_let_go_of_is_free_at_once(store: Store) -> None:
    fence = await take(store, "one")
    assert fence is not None
    await store.write(lambda tx: leases.drop(tx, "sender", fence))
    assert await take(store, "two") == 2
