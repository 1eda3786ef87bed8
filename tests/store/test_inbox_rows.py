"""Deliveries as rows: stored once, worked on by one process, without what must not be kept."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import select, text, update

from sysop.store import inbox
from sysop.store import tables as t
from sysop.store.store import Store

BODY = {"text": "hello", "response_url": "https://hooks.slack.com/commands/T0/1/abcdefghijklmnopqrstuvwx"}


async def put(
    store: Store, key: str = "event:1", body: dict[str, Any] | None = None, signature: str | None = None
) -> bool:
    return await store.write(lambda tx: inbox.put(tx, key, "command", body or BODY, signature))


async def test_of_many_at_once_one_is_the_first(store: Store) -> None:
    assert sorted(await asyncio.gather(*(put(store, "event:2") for _ in range(8)))) == [False] * 7 + [True]


async def test_the_very_same_request_is_refused_under_another_key(store: Store) -> None:
    assert await put(store, "a", signature="s1")
    assert not await put(store, "b", signature="s1")
    assert await store.read(inbox.due) == ["a"]


async def test_secrets_are_not_kept_and_addresses_are(store: Store) -> None:
    await put(store, body={**BODY, "text": "password=hunter22222", "token": "verification"})
    kept = await store.read(lambda conn: conn.scalar(select(t.inbox.c.body)))
    assert "hunter22222" not in str(kept)
    assert "token" not in kept
    assert kept["response_url"] == BODY["response_url"]


async def test_one_worker_has_a_delivery_and_a_dead_one_loses_it(store: Store) -> None:
    await put(store)
    first = await store.write(lambda tx: inbox.claim(tx, "event:1", "one"))
    assert first is not None
    assert first.body["text"] == "hello"
    assert await store.write(lambda tx: inbox.claim(tx, "event:1", "two")) is None
    await store.write(lambda tx: tx.conn.execute(update(t.inbox).values(not_before=0)) and None)
    again = await store.write(lambda tx: inbox.claim(tx, "event:1", "two"))
    assert again is not None
    assert again.attempts == 2


async def test_what_is_finished_says_nothing_any_more_and_is_still_known(store: Store) -> None:
    await put(store)
    await store.write(lambda tx: inbox.finish(tx, "event:1"))
    assert await store.read(lambda conn: conn.scalar(text_of_body())) is None
    assert not await put(store)
    assert await store.read(inbox.due) == []


def text_of_body() -> Any:
    return text("SELECT CAST(body AS TEXT) FROM inbox")


async def test_a_retry_waits_and_a_dead_one_is_audited(store: Store) -> None:
    await put(store)
    now = await store.now()
    await store.write(lambda tx: inbox.retry(tx, "event:1", "no luck", now + 60_000))
    assert await store.read(inbox.due) == []
    await store.write(lambda tx: inbox.bury(tx, "event:1", "no listener"))
    assert await store.read(inbox.counts) == {"dead": 1}
    assert await store.read(lambda conn: conn.scalar(text("SELECT kind FROM audit"))) == "inbox.dead"


async def test_what_was_said_later_in_a_thread_never_overtakes_what_was_said_before(store: Store) -> None:
    await store.write(lambda tx: inbox.put(tx, "event:a", "event", BODY, lane="T1/C1/1"))
    await asyncio.sleep(0.002)
    await store.write(lambda tx: inbox.put(tx, "event:b", "event", BODY, lane="T1/C1/1"))
    await store.write(lambda tx: inbox.put(tx, "event:c", "event", BODY, lane="T1/C1/2"))
    await store.write(lambda tx: inbox.put(tx, "event:d", "event", BODY))
    assert set(await store.read(inbox.due)) == {"event:a", "event:c", "event:d"}
    assert await store.write(lambda tx: inbox.claim(tx, "event:a", "one")) is not None
    assert await store.write(lambda tx: inbox.claim(tx, "event:b", "two")) is None, "it is being worked on"
    now = await store.now()
    await store.write(lambda tx: inbox.retry(tx, "event:a", "Slack is away", now + 60_000))
    assert await store.write(lambda tx: inbox.claim(tx, "event:b", "two")) is None, "it is tried again first"
    await store.write(lambda tx: inbox.finish(tx, "event:a"))
    assert await store.write(lambda tx: inbox.claim(tx, "event:b", "two")) is not None
