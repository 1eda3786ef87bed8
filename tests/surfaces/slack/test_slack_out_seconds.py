"""What is asked for in a direct message is shown a second time to those who decide, on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gate.kit import ANN, Attack
from sysop.model import Actor, Approval, Origin, Request
from sysop.store import conversations, outbox, runs
from sysop.store import tables as t
from sysop.store.writer import Tx
from sysop.surfaces.slack import documents, keys
from sysop.surfaces.slack.look import Look
from sysop.surfaces.slack.project import Projector

PERSON = Actor("slack:T1.U0ASKER", frozenset(), human=True)


@pytest.fixture
async def bot(tmp_path: Path, url: str) -> AsyncIterator[Attack]:
    attack = Attack(tmp_path, url)
    yield attack
    await attack.close()


async def asked(bot: Attack, *, channel: str | None, within: str = "D1") -> Approval:
    """Ask for a change in a direct message."""
    bot.app.store.project(Projector(channel, "T1"))

    def unit(tx: Tx) -> str:
        place = {"surface": "slack", "team": "T1", "channel": within, "root": "1.0", "owner": PERSON.id}
        talk = conversations.create(tx, **place, title="between the two of us")
        call = {"action": "lab.append", "args": {"name": "web"}}
        run = runs.create(tx, Request(PERSON, Origin.ASKED, "slack", conversation=talk.id, **call), "direct")
        conversations.set_run(tx, talk.id, run)
        return run

    run = await bot.app.store.write(unit)
    await bot.advance(run)
    return await bot.approval(run)


async def rows(bot: Attack, channel: str) -> list[str]:
    """Return what waits to be told in a channel and send it."""

    def unit(tx: Tx) -> list[str]:
        mine = (t.conversation.c.channel == channel) & (t.outbox.c.state == "pending")
        found = select(t.outbox).join(t.conversation, t.conversation.c.id == t.outbox.c.conversation).where(mine)
        waiting = tx.conn.execute(found.order_by(t.outbox.c.id)).all()
        for row in waiting:
            outbox.sent(tx, row.id, "1.0")
        return [(row.payload or {}).get("text") or row.key for row in waiting]

    return await bot.app.store.write(unit)


async def test_both_cards_follow_the_approval_from_the_question_to_its_end(bot: Attack) -> None:
    approval = await asked(bot, channel="C0123")
    first, second = keys.approval(approval.id), keys.second(approval.id)
    assert await rows(bot, "C0123") == [f"root:conv-{approval.run}", second]
    *_, card, where = await rows(bot, "D1")
    assert card == first
    assert "the same card stands in <#C0123>" in where
    await bot.vote(approval)
    assert second in await rows(bot, "C0123")
    assert first in await rows(bot, "D1")
    await bot.advance(approval.run)
    assert second in await rows(bot, "C0123"), "it says what came of it"
    assert first in await rows(bot, "D1")


async def test_a_pause_is_shown_on_both_cards(bot: Attack) -> None:
    approval = await asked(bot, channel="C0123")
    await bot.vote(approval)
    await rows(bot, "C0123")
    await bot.app.service.pause(ANN, "maintenance")
    assert await rows(bot, "C0123") == [keys.second(approval.id)]


async def test_what_else_was_written_in_private_stays_there(bot: Attack) -> None:
    approval = await asked(bot, channel="C0123")

    def read(conn: Any) -> list[Any]:
        shown = (f"root:conv-{approval.run}", keys.second(approval.id))
        return [documents.document(conn, key, 0, Look()) for key in shown]

    root, card = await bot.app.store.read(read)
    assert "between the two" not in str((root, card))
    assert "on thing:web, in a direct message" in root.text
    assert "Whoever may approve is asked in this thread" in str(root.blocks)
    assert "approval.approve" in str(card.blocks)


async def test_without_a_channel_whoever_asked_hears_where_it_is_shown(bot: Attack) -> None:
    await asked(bot, channel=None)
    assert "Sysop's Home" in (await rows(bot, "D1"))[-1]


async def test_what_is_asked_for_in_a_channel_is_shown_there_alone(bot: Attack) -> None:
    approval = await asked(bot, channel="C0123", within="C0777")
    assert await rows(bot, "C0123") == []
    assert (await rows(bot, "C0777"))[-1] == keys.approval(approval.id)
