"""In a storm of alerts people are asked before the rest is told, over real sockets and on both databases."""

from __future__ import annotations

import out_kit as kit
from out_kit import Pages, Place, words

from sysop.store import conversations, outbox
from sysop.store.store import Store
from sysop.store.writer import Tx

STORM = 60
PACE = kit.replace(kit.PACE, update_ms=1)


def thread(tx: Tx, place: Place, pages: Pages, channel: str, *keys: str) -> None:
    """Write a thread whose messages say what their keys are."""
    made = {"surface": "slack", "team": place.team, "channel": place.channel(channel), "root": None, "owner": ""}
    talk = conversations.create(tx, **made, title="A talk")
    for key in keys:
        pages.documents[key] = kit.a_plan(place, recipient=None) if key.startswith("plan:") else words(key)
        outbox.mark(tx, talk, key)


async def posts(place: Place) -> list[str]:
    return [str(one["args"].get("text")) for one in await place.calls("chat.postMessage", ok=True)]


async def test_approvals_do_not_wait_behind_the_cards_of_a_storm(store: Store) -> None:
    pages = Pages()

    def unit(tx: Tx) -> None:
        for number in range(STORM):
            thread(tx, place, pages, "general", f"incident:inc-{number}", f"plan:run-{number}#1")
        thread(tx, place, pages, "general", "root:conv-1", "plan:run-asks-1#1", "approval:apr-1")
        thread(tx, place, pages, "incidents", "root:conv-2", "approval:apr-2")

    async with kit.workspace() as place:
        await store.write(unit)
        async with kit.sending(store, place, pages=pages, pace=PACE):
            await kit.until(lambda: _both(place), "both cards stand")
            told = await posts(place)
            before = told[: max(told.index("approval:apr-1"), told.index("approval:apr-2"))]
            assert len([text for text in before if text.startswith("incident:")]) <= STORM // 2


async def _both(place: Place) -> bool:
    return {"approval:apr-1", "approval:apr-2"} <= set(await posts(place))


async def test_an_approval_overtakes_plans_that_wait_for_their_turn_already(store: Store) -> None:
    pages = Pages()

    def storm(tx: Tx) -> None:
        for number in range(STORM):
            thread(tx, place, pages, "general", f"incident:inc-{number}", f"plan:run-{number}#1")

    async with kit.workspace() as place:
        await store.write(storm)
        async with kit.sending(store, place, pages=pages, pace=PACE):
            await kit.until(lambda: _so_many(place, 12), "the storm is on its way")
            await store.write(lambda tx: thread(tx, place, pages, "general", "approval:apr-1"))
            before = len(await posts(place))
            await kit.until(lambda: _asked(place), "the card stands")
            assert (await posts(place)).index("approval:apr-1") - before <= STORM // 2


async def _so_many(place: Place, count: int) -> bool:
    return len(await posts(place)) >= count


async def _asked(place: Place) -> bool:
    return "approval:apr-1" in await posts(place)
