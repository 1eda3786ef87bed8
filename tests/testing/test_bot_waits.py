"""What the fixture says when a test waits for what does not come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from sysop.api import Action, Context, Risk, action, hookimpl
from sysop.testing.bot import Bot
from sysop.testing.errors import NotSettled, NotThere
from sysop.testing.stage import Stage


class Slow:
    """A plugin with a look that takes as long as the test says."""

    def __init__(self) -> None:
        self.free = asyncio.Event()

    @hookimpl
    def register_actions(self) -> Iterable[Action]:
        @action(risk=Risk.READ)
        async def look(ctx: Context) -> str:
            """Look for long."""
            await self.free.wait()
            return "seen"

        return [look]


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
async def bot(tmp_path: Path, bot_template: Path, slow: Slow) -> AsyncIterator[Bot]:
    async with Stage(tmp_path, plugins={"slow": slow}, template=bot_template).up() as running:
        yield running


async def test_what_is_still_under_way_is_named(bot: Bot, slow: Slow) -> None:
    await bot.say("/sysop run slow.look", wait=False)
    await bot.wait_for_message("asked: slow.look")
    with pytest.raises(NotSettled, match=r"run-.* is running"):
        await bot.settled(within=0.3)
    slow.free.set()
    await bot.settled()
    await bot.look()
    assert "seen" in bot.answer


async def test_a_wait_in_vain_shows_what_there_is_instead(bot: Bot) -> None:
    await bot.say("/sysop status")
    with pytest.raises(NotThere, match="All is quiet"):
        await bot.wait_for_message("pigs fly", within=0.3)
    with pytest.raises(NotThere, match="no button 'Approve'"):
        await bot.click("Approve")
    with pytest.raises(NotThere, match="no run yet"):
        await bot.run()
    with pytest.raises(NotThere, match="nobody was asked"):
        await bot.approval()
    with pytest.raises(NotThere, match="no answer in this thread"):
        _ = bot.answer


async def test_before_anything_was_said_there_is_nothing_to_look_at(bot: Bot) -> None:
    with pytest.raises(NotThere, match="nothing to requester yet"):
        _ = bot.last
    await bot.say("to nobody")
    assert bot.told is None
    assert bot.fresh == []
