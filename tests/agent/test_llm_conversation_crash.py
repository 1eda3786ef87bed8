"""What people say while a process is killed: each message reaches the model once, whenever it was said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from llm_kit import ANN, BOB, FINAL, Life, conclude, idle

from sysop.conversations import Conversations
from sysop.model import Actor
from sysop.store import conversations
from sysop.testing.llm import Answer, Asked, LlmServer, Use, turns

CAT = Actor("person:cat", frozenset({"approver", "lead"}), human=True)
DAN = Actor("person:dan", human=True)
SAID = {"early": BOB, "meanwhile": DAN, "late": BOB}
"""Queued before the run's first request, said while the model thinks, and said while an approved change runs."""
POINTS = [
    ("sqlite", "save.before", 1),
    ("sqlite", "save.after", 1),
    ("sqlite", "save.before", 2),
    ("sqlite", "save.after", 2),
    ("sqlite", "save.before", 3),
    ("sqlite", "save.after", 3),
    ("sqlite", "requested", 1),
    ("sqlite", "parked", 1),
    ("postgres", "save.before", 3),
    ("postgres", "save.after", 3),
    ("postgres", "requested", 1),
]
LATER = [("sqlite", "effect.after"), ("sqlite", "save.before"), ("postgres", "save.after")]


@asynccontextmanager
async def talking(folder: Path, url: str) -> AsyncIterator[tuple[object, Conversations]]:
    async with idle(folder, url) as bot:
        bot.app.planners.prefer("llm")
        yield bot, Conversations(bot.app.store, bot.app.people, bot.app.planners.name_for)


class Thread:
    """A conversation that lives in the database alone: everybody who speaks is a process of their own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.run = self.id = ""

    async def begin(self) -> None:
        async with talking(self.folder, self.url) as (_, talks):
            begun = await talks.begin(
                surface="t", team="T", channel="C", root="1", actor=ANN, text="begin", title="t", delivery="1"
            )
            self.id, self.run = begun.conversation.id, str(begun.run)
        await self.say("early")

    async def say(self, text: str) -> None:
        async with talking(self.folder, self.url) as (_, talks):
            await talks.hear(self.id, text, SAID[text], f"words said {text}")

    def script(self, asked: Asked) -> Answer:
        """Run in the thread of the model's server, while the run's process waits for the answer."""
        if asked.turn == 0:
            asyncio.run(self.say("meanwhile"))
        steps = turns(
            Answer("I look.", [Use("lab-look")]),
            Answer("I change two things.", [Use("lab-append", {"name": "p"}), Use("lab-append", {"name": "q-free"})]),
            conclude(summary="done"),
        )
        answer = steps(asked)
        assert isinstance(answer, Answer)
        return answer

    async def finish(self, life: Life) -> None:
        for _ in range(6):
            assert not Life(self.folder, self.url, life.model).live()
            async with idle(self.folder, self.url) as bot:
                if (await bot.run(self.run)).state in FINAL:
                    return
                for approval in await bot.pending():
                    click = await bot.app.service.decide(approval.id, BOB, True, delivery=f"bob {approval.id}")
                    assert click.message == "who asks for a change cannot approve it"
                    dora = Actor("person:dora", frozenset({"approver"}), human=True)
                    assert not (await bot.app.service.decide(approval.id, dora, True, delivery="dora")).counted
                    await bot.app.service.revoke(approval.id, CAT, "enough seen")
        raise AssertionError("the run does not end")

    async def check(self, server: LlmServer) -> None:
        async with idle(self.folder, self.url) as bot:
            run = await bot.run(self.run)
            assert run.state == "done", run
            assert run.conclusion["degraded"] is None, run.conclusion
            found = await bot.app.store.read(lambda conn: conversations.turns(conn, self.id))
            assert {(turn.ts, turn.state, turn.run) for turn in found} == {
                ("1", "taken", run.id),
                ("early", "taken", run.id),
                ("meanwhile", "taken", run.id),
            }
            assert run.requesters == (ANN.id, BOB.id, DAN.id)
            assert bot.effects == [f"{run.id}:a2.1"]
        last = server.asked[-1]
        assert last.text.count("words said early") == 1
        assert last.text.count("words said meanwhile") == 1


@pytest.mark.parametrize(("url", "at", "nth"), POINTS, indirect=["url"], ids=str)
async def test_a_kill_neither_loses_nor_doubles_what_was_said(url: str, tmp_path: Path, at: str, nth: int) -> None:
    thread = Thread(tmp_path, url)
    with LlmServer(thread.script) as server:
        await thread.begin()
        life = Life(tmp_path, url, server.url, at, nth)
        assert life.live(), "nobody died: the test proves nothing"
        await thread.finish(life)
        await thread.check(server)


@pytest.mark.parametrize(("url", "at"), LATER, indirect=["url"], ids=str)
async def test_what_is_said_while_calls_are_open_comes_after_their_results(url: str, tmp_path: Path, at: str) -> None:
    """A message is queued between the vote and the next request; the process is killed on the way there."""
    thread = Thread(tmp_path, url)

    def script(asked: Asked) -> Answer:
        change = Answer("I change it.", [Use("lab-append", {"name": "p"}), Use("lab-look")])
        answer = turns(change, conclude(summary="done"))(asked)
        assert isinstance(answer, Answer)
        return answer

    with LlmServer(script) as server:
        await thread.begin()
        assert not Life(tmp_path, url, server.url).live()
        async with idle(tmp_path, url) as bot:
            (asked,) = await bot.pending()
            assert (await bot.app.service.decide(asked.id, CAT, True, delivery="cat")).counted
        await thread.say("late")
        assert Life(tmp_path, url, server.url, at).live(), "nobody died: the test proves nothing"
        assert not Life(tmp_path, url, server.url).live()
        async with idle(tmp_path, url) as bot:
            run = await bot.run(thread.run)
            assert (run.state, run.conclusion["summary"]) == ("done", "done")
            assert bot.effects == [f"{run.id}:a1.0"]
    assert len(server.asked) == 2
    assert "words said late" not in server.asked[0].text
    assert server.asked[-1].text.count("words said late") == 1
    assert [message["role"] for message in server.asked[-1].messages[-3:]] == ["tool", "tool", "user"]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("text", ["all is well", " "], ids=["plain", "empty"])
async def test_a_kill_after_an_answer_in_plain_text_asks_nothing_again(url: str, tmp_path: Path, text: str) -> None:
    thread = Thread(tmp_path, url)
    with LlmServer(lambda asked: Answer(text) if asked.number == 0 else Answer("said again")) as server:
        await thread.begin()
        assert Life(tmp_path, url, server.url, "save.after", 2).live()
        assert not Life(tmp_path, url, server.url).live()
        async with idle(tmp_path, url) as bot:
            run = await bot.run(thread.run)
    assert run.conclusion["degraded"] is None
    assert run.conclusion["summary"] == (text if text.strip() else "said again")
    assert len(server.asked) == (1 if text.strip() else 2)
