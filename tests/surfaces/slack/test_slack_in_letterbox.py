"""The letterbox: what comes at once is written at once, and one that cannot be kept takes nobody along."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import event, func, select

from sysop.errors import StoreError
from sysop.store import inbox
from sysop.store import tables as t
from sysop.store.inbox import Delivery, Letter
from sysop.store.store import Store
from sysop.surfaces.slack.consumer import Consumer, Result
from sysop.surfaces.slack.letterbox import FLOOD, Letterbox


def letter(key: str, signature: str | None = None, **body: Any) -> Letter:
    return Letter(f"command:{key}", "command", {"text": "help", **body}, signature)


async def keys(store: Store) -> list[str]:
    return await store.read(lambda conn: sorted(conn.scalars(select(t.inbox.c.key))))


async def test_a_burst_is_kept_by_few_transactions(store: Store) -> None:
    commits: list[object] = []
    engine = store._writer._engine
    event.listen(getattr(engine, "sync_engine", engine), "commit", commits.append)
    box = Letterbox(store)
    fresh = await asyncio.gather(*(box.put(letter(f"{number:03}")) for number in range(200)))
    assert all(fresh)
    assert await keys(store) == [f"command:{number:03}" for number in range(200)]
    assert len(commits) <= 8


async def test_what_comes_pass_after_pass_of_the_loop_is_one_transaction(store: Store) -> None:
    """As over many connections. Without a wait it is one delivery, then the rest, in every round of a burst."""
    commits: list[object] = []
    engine = store._writer._engine
    event.listen(getattr(engine, "sync_engine", engine), "commit", commits.append)
    box, put = Letterbox(store), []
    for number in range(6):
        put.append(asyncio.create_task(box.put(letter(str(number)))))
        await asyncio.sleep(0)
    assert await asyncio.gather(*put) == [True] * 6
    assert len(commits) == 1
    assert await box.put(letter("alone"))
    assert len(commits) == 2


@pytest.mark.parametrize("signed", [True, False])
async def test_what_is_kept_together_is_worked_on_in_the_order_in_which_it_came(store: Store, signed: bool) -> None:
    box, names = Letterbox(store), "zyxwa"
    said = [Letter(f"event:{name}", "event", {}, f"s{name}" if signed else None, "T/C/1.0") for name in names]
    assert all(await asyncio.gather(*(box.put(one) for one in said)))
    worked = []
    while due := await store.read(inbox.due):
        (key,) = due
        worked.append(key)
        await store.write(lambda tx, key=key: inbox.finish(tx, key))  # type: ignore[misc]
    assert worked == [f"event:{name}" for name in names]


async def test_of_copies_in_one_burst_the_first_is_the_only_one(store: Store) -> None:
    box = Letterbox(store)
    burst = [
        *(letter("a", "s1"), letter("a", "s2"), letter("b", "s1"), letter("c", "s3")),
        *(letter("a"), letter("c", "s3"), letter("d", "s2"), letter("e")),
    ]
    fresh = await asyncio.gather(*(box.put(one) for one in burst))
    assert fresh == [True, False, False, True, False, False, False, True]
    assert await keys(store) == ["command:a", "command:c", "command:e"]
    assert await asyncio.gather(*(box.put(one) for one in burst)) == [False] * len(burst)


async def test_several_at_once_are_kept_as_one_after_another_would_be(store: Store) -> None:
    burst = [letter(key, signature) for key in "abca" for signature in ("1", None, "2", "1", "3")]
    one_by_one = [
        await store.write(
            lambda tx, o=one: inbox.put(tx, f"x{o.key}", o.kind, o.body, o.signature and f"x{o.signature}")
        )
        for one in burst
    ]
    assert await store.write(lambda tx: inbox.put_all(tx, burst)) == one_by_one


async def test_two_processes_that_keep_the_same_agree_on_who_was_first(store: Store) -> None:
    other = Store.open(store.url.render_as_string(hide_password=False))
    try:
        boxes = [Letterbox(store), Letterbox(other)]
        told = await asyncio.gather(
            *(
                box.put(letter(str(number * step % 101), f"{number * step % 101}"))
                for number in range(100)
                for box, step in zip(boxes, (1, 7), strict=True)
            )
        )
    finally:
        await other.close()
    assert sum(told) == len(await keys(store)) == len({n * step % 101 for n in range(100) for step in (1, 7)})


async def test_one_that_the_database_does_not_take_takes_nobody_along(store: Store) -> None:
    box = Letterbox(store)
    burst = [letter("a"), letter("half of a character: \ud800"), letter("b")]
    told = await asyncio.gather(*(box.put(one) for one in burst), return_exceptions=True)
    assert isinstance(told[1], UnicodeEncodeError | StoreError)
    assert (told[0], told[2]) == (True, True)
    assert await keys(store) == ["command:a", "command:b"]


async def test_whoever_gives_up_is_not_kept_and_the_others_are(store: Store) -> None:
    box = Letterbox(store)
    first, second, third = (asyncio.create_task(box.put(letter(key))) for key in "abc")
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert (await first, await third) == (True, True)
    assert await keys(store) == ["command:a", "command:c"]
    assert await box.put(letter("b"))


async def test_a_flood_is_noticed_and_so_is_its_end(store: Store) -> None:
    box = Letterbox(store)
    assert not box.flooded
    await asyncio.gather(*(box.put(letter(str(number))) for number in range(FLOOD)))
    assert await store.read(lambda conn: conn.scalar(select(func.count()).select_from(t.inbox))) == FLOOD
    while box.flooded:
        await asyncio.sleep(0.01)
    await box.put(letter("alone"))
    assert not box.flooded


async def test_work_gives_way_while_deliveries_pour_in(store: Store) -> None:
    happened: list[str] = []

    def flooded() -> bool:
        happened.append("asked")
        return happened.count("asked") < 10

    async def dispatch(_delivery: Delivery) -> Result:
        happened.append("worked")
        return Result("handled")

    async def give_up(_delivery: Delivery, _error: str) -> None:
        raise AssertionError("nothing is given up")

    await Letterbox(store).put(letter("a"))
    consumer = Consumer(store, dispatch, give_up, "w1", flooded=flooded)
    await consumer.start()
    try:
        async with asyncio.timeout(10):
            while "worked" not in happened:
                await asyncio.sleep(0.01)
    finally:
        await consumer.stop()
    assert happened[: happened.index("worked")] == ["asked"] * 10
