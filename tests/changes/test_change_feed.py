"""Places that are asked for changes: now and then, from where they were left, and cheaply while nothing happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kit_changes import Shop, change

import bench
from sysop.api import ActionFailed, Change, ChangeSource, ChangeState
from sysop.app import App
from sysop.changes import feed
from sysop.changes.feed import FIRST_LOOK_MS, OVERLAP_MS, Feed, Place, fit
from sysop.store import changes


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
async def app(tmp_path: Path, url: str, shop: Shop) -> AsyncIterator[App]:
    built = bench.build(tmp_path, url, plugins={"shop": shop})
    yield built
    await built.close()


async def known(app: App) -> list[str]:
    found = await app.store.read(lambda conn: changes.between(conn, 0, 4_000_000_000_000))
    return [f"{one.id} {one.state}" for one in found]


async def ask(app: App) -> None:
    await asyncio.sleep(0.02)
    await app.feed.tick()


async def test_what_a_place_tells_is_stored_once(app: App, shop: Shop) -> None:
    shop.told = [change("b1", state=ChangeState.STARTED)]
    await ask(app)
    shop.told = [change("b1", at=1_700_000_060_000), change("b2", at=1_600_000_000_000)]
    await ask(app)
    mark = await app.store.read(changes.mark)
    await ask(app)
    assert await known(app) == ["b1 done", "b2 done"]
    assert await app.store.read(changes.mark) == mark, "nothing is written while nothing happens"


async def test_it_is_asked_from_where_it_was_left(app: App, shop: Shop) -> None:
    before = await app.store.now()
    await ask(app)
    await ask(app)
    first, second = shop.asked
    assert before - FIRST_LOOK_MS <= first < before - FIRST_LOOK_MS + 60_000
    assert before - OVERLAP_MS <= second < before - OVERLAP_MS + 60_000


async def test_a_place_that_fails_is_asked_again_from_the_same_time(
    app: App, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.broken = ActionFailed("github: 503")
    with caplog.at_level(logging.WARNING):
        await ask(app)
        await ask(app)
    assert caplog.text.count("shop/ci cannot be asked for changes: github: 503") == 1
    shop.broken, shop.told = RuntimeError("a mistake"), [change()]
    await ask(app)
    assert "the plugin shop failed" not in caplog.text, "once while it lasts"
    shop.broken = None
    await ask(app)
    assert shop.asked[-1] < await app.store.now() - OVERLAP_MS * 2
    assert await known(app) == ["b1 done"]
    shop.broken = RuntimeError("a mistake")
    await ask(app)
    await ask(app)
    assert caplog.text.count("the plugin shop failed to ask ci for changes") == 1
    assert "a mistake" in caplog.text


async def test_a_place_that_never_answers_is_left_alone_after_a_while(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(feed, "LONGEST_S", 0.05)

    async def for_ever(ctx: object, secret: object, since: int) -> list[Change]:
        await asyncio.Event().wait()
        return []

    place = Place(ChangeSource("silent", for_ever, every=0.01), app.feed._places[0].context)
    await Feed(app.store, [place], lambda name: "", "worker").tick()
    assert "cannot be asked for changes: no answer in time" in caplog.text


async def test_what_cannot_be_told_apart_is_refused_with_its_field(app: App, shop: Shop) -> None:
    for wrong, said in (
        (change(""), r"changes\[0\].id"),
        (change(at=-1), "at: must be whole milliseconds"),
        (change(at=0), "at: is missing"),
        (change(source=""), "source"),
        (change(state="success"), "state: must be a ChangeState, not 'success'"),
        (change(kind="deploy"), "kind"),
    ):
        with pytest.raises(ValueError, match=said):
            fit([wrong])
    shop.told = [change(""), change("b2")]
    await ask(app)
    assert await known(app) == []


async def test_a_large_delivery_lets_others_write_meanwhile(app: App) -> None:
    told = [change(f"b{number}") for number in range(1500)]
    taking = asyncio.create_task(app.feed.delivered(told, ()))
    await asyncio.sleep(0)
    await app.store.write(lambda tx: changes.take(tx, [change("between")], changes.Told.DELIVERED))
    assert not taking.done()
    await taking
    assert len(await app.store.read(lambda conn: changes.between(conn, 0, 4_000_000_000_000, limit=2000))) == 1501


async def test_of_several_processes_one_asks(app: App, shop: Shop) -> None:
    other = Feed(app.store, app.feed._places, lambda name: "", "another worker")
    await ask(app)
    await asyncio.sleep(0.02)
    await other.tick()
    assert len(shop.asked) == (2 if app.store.embedded else 1), "on SQLite there is one process that ticks"
