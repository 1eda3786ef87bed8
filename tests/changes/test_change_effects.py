"""Our own effects in the record of changes: each once, wherever the process dies; and news that wakes their checks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from kit_changes import Shop, change

from gate.kit import Attack, dies_at
from sysop.api import Change, ChangeKind, ChangeState
from sysop.cli.runs import waits_for
from sysop.gate.postcheck import NEWS_PAUSE_MS
from sysop.model import RunState
from sysop.store import changes, effects
from sysop.store.changes import Told

FREE: dict[str, Any] = {"rules": [{"name": "free", "match": {"risk": ["change"]}, "then": "allow"}]}
SHIP = {"service": "checkout", "version": "2.3.1"}
LATER = 4_000_000_000_000

Make = Callable[..., Attack]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
async def make(tmp_path: Path, url: str, shop: Shop) -> AsyncIterator[Make]:
    made: list[Attack] = []

    def build(**more: Any) -> Attack:
        made.append(Attack(tmp_path, url, policy=FREE, plugins={"shop": shop}, **more))
        return made[-1]

    yield build
    for one in made:
        await one.close()


async def known(gate: Attack) -> list[Change]:
    return await gate.app.store.read(lambda conn: changes.between(conn, 0, LATER))


async def test_an_effect_that_was_performed_is_a_change(make: Make) -> None:
    gate = make()
    run = await gate.submit("shop.ship", SHIP)
    await gate.advance(run)
    (one,) = await known(gate)
    assert (one.source, one.id, one.kind, one.service) == ("ci", f"ci:{run}:call", ChangeKind.DEPLOY, "checkout")
    assert (one.state, one.before, one.after) == (ChangeState.STARTED, "2.3.0", "2.3.1")
    assert (one.run, one.call, one.by, one.environment) == (run, "call", f"sysop:{run}", "production")
    row = await gate.row(run)
    assert row is not None
    assert one.began_at <= one.at == row.finished_at


async def test_one_that_nobody_else_tells_of_has_a_name_of_ours(make: Make) -> None:
    gate = make()
    run = await gate.submit("shop.scale", {"service": "checkout", "to": 6})
    await gate.advance(run)
    (one,) = await known(gate)
    assert (one.source, one.id) == ("sysop", f"{run}:call")
    assert one.words == "checkout was scaled (? -> 6)"


async def test_one_that_cannot_say_what_it_changed_is_on_record_all_the_same(make: Make) -> None:
    gate = make()
    run = await gate.submit("shop.mute")
    await gate.advance(run)
    assert await gate.state(run) == "done"
    (one,) = await known(gate)
    assert (one.kind, one.title, one.run) == (ChangeKind.OTHER, "shop.mute", run)


@pytest.mark.parametrize("wrong", [{"state": "success"}, {"kind": "deployment"}, {"at": 1.5}, {"at": 10**30}])
async def test_one_that_tells_nonsense_is_on_record_and_keeps_nobody_from_the_others(
    make: Make, shop: Shop, wrong: dict[str, Any]
) -> None:
    gate = make()
    shop.wrong = wrong
    run = await gate.submit("shop.mistake")
    await gate.advance(run)
    assert await gate.state(run) == "done"
    (one,) = await known(gate)
    assert (one.kind, one.title, one.run) == (ChangeKind.OTHER, "shop.mistake", run)


async def test_one_that_failed_has_changed_nothing(make: Make, shop: Shop) -> None:
    gate = make()
    run = await gate.submit("lab.refuse", {"name": "web"})
    await gate.advance(run)
    assert await gate.state(run) == "failed"
    assert await known(gate) == []


@pytest.mark.parametrize("point", ["intent", "checked", "executing", "performed", "ended.done"])
async def test_it_is_there_once_wherever_the_process_dies(make: Make, shop: Shop, point: str) -> None:
    run = await make(probe=dies_at(point)).dying("shop.ship", SHIP)
    after = make()
    await after.work()
    assert await after.state(run) == "done"
    assert len(shop.effects) == 1
    assert [one.id for one in await known(after)] == [f"ci:{run}:call"]


@pytest.mark.parametrize("first", [Told.DELIVERED, Told.ASKED, None])
async def test_what_others_tell_of_it_is_the_same_change(make: Make, first: Told | None) -> None:
    gate = make()
    run = await gate.submit("shop.ship", SHIP)
    other = change(f"ci:{run}:call", at=LATER - 1, began_at=5000, service="shop", by="bot", after="main")

    async def tell(told: Told) -> None:
        await gate.app.store.write(lambda tx: changes.take(tx, [other], told))

    if first is not None:
        await tell(first)
    await gate.advance(run)
    await tell(Told.DELIVERED)
    (one,) = await known(gate)
    assert (one.service, one.after, one.by, one.run) == ("checkout", "2.3.1", f"sysop:{run}", run)
    assert (one.state, one.at, one.began_at) == (ChangeState.DONE, LATER - 1, 5000)


# -- news -----------------------------------------------------------------------------------------------------------


async def polls(gate: Attack, run: str) -> int:
    return len(await gate.app.store.read(lambda conn: effects.polls(conn, run, "call.verify-")))


async def waiting(gate: Attack, shop: Shop, again: timedelta | None = timedelta(minutes=5)) -> str:
    shop.again = again
    run = await gate.submit("shop.follow", SHIP)
    await gate.advance(run)
    return run


async def test_a_check_says_when_it_wants_to_be_asked_again(make: Make, shop: Shop) -> None:
    gate = make()
    run = await waiting(gate, shop)
    found = await gate.run(run)
    now = await gate.app.store.now()
    assert found.state is RunState.WAITING
    assert found.wake_at is not None
    assert 200_000 < found.wake_at - now <= 300_000
    assert found.waiting_for == f"verify:call {changes.reason(f'ci:{run}:call')}"
    assert waits_for(found) == "verify:call", "people are told no digest"


async def test_news_of_the_build_has_it_asked_at_once(make: Make, shop: Shop) -> None:
    gate = make()
    run = await waiting(gate, shop)
    await gate.app.feed.delivered([], ["ci:another"])
    assert (await gate.run(run)).state is RunState.WAITING
    shop.ended = True
    await gate.app.feed.delivered([], [f"ci:{run}:call"])
    assert (await gate.run(run)).state is RunState.QUEUED
    await gate.work()
    assert (await gate.run(run)).state is RunState.DONE
    row = await gate.row(run)
    assert row is not None
    assert row.verified is True
    assert await polls(gate, run) == 2


async def test_what_news_says_is_never_believed(make: Make, shop: Shop) -> None:
    gate = make()
    run = await waiting(gate, shop)
    for _ in range(3):
        await gate.app.feed.delivered([change(f"ci:{run}:call", at=LATER - 1)], [f"ci:{run}:call"])
        await gate.work()
    found, row = await gate.run(run), await gate.row(run)
    assert found.state is RunState.WAITING
    assert row is not None
    assert row.verified is None
    assert len(shop.effects) == 1


async def test_many_news_in_a_row_have_it_look_no_more_than_twice_a_second(make: Make, shop: Shop) -> None:
    gate = make()
    run = await waiting(gate, shop)
    for _ in range(20):
        await gate.app.feed.delivered([], [f"ci:{run}:call"])
        await gate.advance(run)
    looked = await gate.app.store.read(lambda conn: effects.polls(conn, run, "call.verify-"))
    pauses = [later.created_at - earlier.created_at for earlier, later in pairwise(looked)]
    assert all(pause >= NEWS_PAUSE_MS for pause in pauses), pauses


async def test_a_visit_for_another_reason_is_no_reason_to_ask(make: Make, shop: Shop) -> None:
    gate = make()
    run = await waiting(gate, shop)
    await gate.sql("UPDATE run SET state = 'queued', wake_at = NULL WHERE id = :run", run=run)
    await gate.advance(run)
    assert await polls(gate, run) == 1
    assert (await gate.run(run)).state is RunState.WAITING
