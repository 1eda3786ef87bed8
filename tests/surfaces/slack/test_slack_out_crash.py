"""The sender dies by SIGKILL at every point, and another one takes over: nothing lost, in order, duplicates counted."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import out_kit as kit
import out_worker
import pytest
from out_kit import Place

from scale import SCALE
from sysop.errors import LeaseLost
from sysop.store import conversations, outbox
from sysop.store.conversations import Conversation
from sysop.store.store import Store
from sysop.store.writer import Tx

HERE = Path(__file__).parent


async def begin(store: Store, place: Place, number: int) -> Conversation:
    """Begin a conversation of five posts around a card and a plan."""
    title = f"1 {place.team} {place.user()}"

    def unit(tx: Tx) -> Conversation:
        at = {"surface": "slack", "team": place.team, "channel": place.channel(), "root": None, "owner": ""}
        talk = conversations.create(tx, **at, title=title)
        for n in range(2):
            outbox.post(tx, talk, {"text": f"{number} post {n}"})
        outbox.mark(tx, talk, f"incident:{talk.id}")
        outbox.mark(tx, talk, f"plan:{talk.id}#1")
        for n in range(2, 5):
            outbox.post(tx, talk, {"text": f"{number} post {n}"})
        return talk

    return await store.write(unit)


async def change(store: Store, place: Place, talk: Conversation, count: int) -> None:
    def unit(tx: Tx) -> None:
        conversations.retitle(tx, talk.id, f"{count} {place.team} {place.user()}")
        outbox.mark(tx, talk, f"plan:{talk.id}#1")
        outbox.mark(tx, talk, f"incident:{talk.id}")

    await store.write(unit)


@asynccontextmanager
async def process(url: str, place: Place, point: str, nth: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Let a process send."""
    args = [str(HERE / "out_worker.py"), url, place.workspace.api_url, place.workspace.bot_token, point, str(nth)]
    running = await asyncio.create_subprocess_exec(sys.executable, *args, cwd=HERE)
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


KILLS = [("sqlite", point) for point in out_worker.POINTS]
KILLS += [("postgres", point) for point in (out_worker.POINTS if SCALE >= 1 else ("posted", "appended"))]


@pytest.mark.parametrize(("url", "point"), KILLS, indirect=["url"])
async def test_a_sender_that_is_killed_loses_nothing_and_mixes_nothing_up(
    store: Store, url: str, place: Place, point: str
) -> None:
    talks = [await begin(store, place, number) for number in range(2)]
    nth = 1 if point == "stopped" else 2
    async with process(url, place, point, nth) as dying:
        if point == "stopped":  # a plan is streamed while it goes on, and stopped at its end
            await kit.until(lambda: _streams(place), "the plan is streamed")
            await change(store, place, talks[0], 3)
        async with asyncio.timeout(40):
            assert await dying.wait() == -9
    await change(store, place, talks[1], 2)
    async with kit.sending(store, place, pages=out_worker.DatabasePages(), worker="worker") as out:
        await out.quiet()
        for talk in talks:
            await change(store, place, talk, 3)
        await out.quiet()
        assert out.sender.health.dead == 0
        for number, talk in enumerate(talks):
            _check(await out.thread(talk), number)


async def _streams(place: Place) -> bool:
    return len(await place.calls("chat.appendStream", ok=True)) == 2


def _check(thread: list[dict[str, Any]], number: int) -> None:
    posts = [one["text"] for one in thread if " post " in one["text"]]
    assert posts == [f"{number} post {n}" for n in range(5)], "lost, doubled or out of order"
    cards = [one["text"] for one in thread if one["text"].startswith("incident ")]
    assert [text.split()[1] for text in cards] == ["3"]
    (plan,) = [one for one in thread if one.get("stream") or "the answer" in str(one.get("blocks"))]
    everything = str(plan["blocks"])
    assert everything.count("the answer") == 1
    words = Counter({text: everything.count(text) for n in range(3) for text in (f"details {n}", f"said {n} indeed")})
    assert max(words.values()) <= 1, words
    if plan.get("stream"):
        assert min(words.values()) == 1, words


async def test_a_sender_that_dies_while_slack_is_answering_is_looked_after(
    store: Store, url: str, place: Place
) -> None:
    talk = await begin(store, place, 0)
    await place.fault("chat.postMessage", "hang", seconds=1.0)

    async def calling() -> bool:
        return bool([one for one in (await place.see("log"))["entries"] if one["kind"] == "fault"])

    async with process(url, place, "never", 1):
        await kit.until(calling, "the call is under way")
    async with kit.sending(store, place, pages=out_worker.DatabasePages(), worker="worker") as out:
        await out.quiet()
        texts = await out.texts(talk)
        extra = len([text for text in texts if " post " in text]) - 5
        assert extra <= 1, "only the post that landed after the look may be there twice"
        assert extra <= out.sender.health.resent


async def test_one_process_sends_and_another_takes_over(store: Store, place: Place) -> None:
    brief = kit.replace(kit.PACE, lease_ms=900)
    async with (
        kit.sending(store, place, worker="one", pace=brief) as one,
        kit.sending(store, place, worker="two", pace=brief) as two,
    ):
        await kit.until(lambda: _leads(one, two), "somebody sends")
        first, second = (one, two) if one.sender.health.sending else (two, one)
        talk = await first.talk()
        await first.say(talk, "1")
        await first.quiet()
        await first.sender.stop()
        await first.say(talk, "2")
        await second.quiet()
        assert second.sender.health.sending
        assert await second.texts(talk) == ["1", "2"]
        assert first.sender.health.sent + second.sender.health.sent == 2


async def _leads(*outs: kit.Out) -> bool:
    leading = [out for out in outs if out.sender.health.sending]
    assert len(leading) <= 1
    return bool(leading)


async def test_a_sender_that_has_lost_the_duty_calls_nobody(store: Store, place: Place) -> None:
    duty = kit.Duty(store, "one", 60)
    assert await duty.take()
    await asyncio.sleep(0.07)
    with pytest.raises(LeaseLost):
        duty.check()
    other = kit.Duty(store, "two", 60_000)
    assert await other.take()
    with pytest.raises(LeaseLost):
        await duty.write(lambda tx: None)
    other.check()
