"""A plugin changes while a run is down: what the model asked for under the old one is not made under the new one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llm_kit import Desk, Life, conclude, desk, idle

import lab
from sysop.api import Action, Context, Risk, action
from sysop.model import Run
from sysop.store import approvals
from sysop.testing.llm import Answer, Asked, LlmServer, Use, turns

Change = Callable[[pytest.MonkeyPatch], None]


def upgraded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install another version of the wheel that holds the plugin."""
    monkeypatch.setattr("sysop.host.version", lambda _name: "9.9")


def rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give an action of a plugin without versions another contract."""
    before = lab.actions

    @action(risk=Risk.CHANGE, target="thing:{name}", idempotent=True)
    async def append(ctx: Context, name: str, times: int = 3) -> list[str]:
        """Append some lines."""
        raise AssertionError("this was never asked for")

    def actions(target: lab.Lab) -> list[Action]:
        return [append if one.name == "append" else one for one in before(target)]

    monkeypatch.setattr(lab, "actions", actions)


def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring an action under a name that the model had made up."""
    before = lab.actions

    @action(risk=Risk.CHANGE, target="thing:{name}", idempotent=True)
    async def dance(ctx: Context, name: str) -> str:
        """Dance."""
        raise AssertionError("this was never asked for")

    monkeypatch.setattr(lab, "actions", lambda target: [*before(target), dance])


def removed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = lab.actions
    monkeypatch.setattr(lab, "actions", lambda target: [one for one in before(target) if one.name != "append"])


async def killed(folder: Path, url: str, model: str, at: str, nth: int) -> str:
    """Let a run begin and its process die at a probe."""
    async with idle(folder, url) as bot:
        run = str(await bot.ask("append p", planner="llm"))
    assert Life(folder, url, model, at, nth).live(), "nobody died: the test proves nothing"
    return run


CHANGES = {
    "another version": (upgraded, "Not done: lab.append has changed since the model called it"),
    "another contract": (rewritten, "Not done: lab.append has changed since the model called it"),
    "gone": (removed, "Unknown tool name: 'lab-append'"),
}
ANSWER = Answer("I append it.", [Use("lab-append", {"name": "p-free"})])


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("change", "told"), CHANGES.values(), ids=CHANGES)
async def test_a_call_asked_for_before_the_change_is_not_made_and_all_are_told(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change, told: str
) -> None:
    with LlmServer(turns(ANSWER, conclude(summary="I thought again"))) as server:
        run = await killed(tmp_path, url, server.url, "save.after", 2)
        change(monkeypatch)
        async with desk(tmp_path, url, server.url) as bot:
            ended = await bot.until(run)
            assert bot.effects == []
            said = await bot.said(run)
    assert told in server.asked[1].results[0]
    label = "lab.append has changed" if change is not removed else "lab-append has changed"
    assert any(label in text for text in said)
    assert ended.conclusion["summary"] == "I thought again"
    assert any(label in text and "may not hold" in text for text in ended.conclusion["not_checked"])


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_made_up_name_does_not_come_to_life(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with LlmServer(turns(Answer("", [Use("lab-dance", {"name": "p-free"})]), conclude())) as server:
        run = await killed(tmp_path, url, server.url, "save.after", 2)
        added(monkeypatch)
        async with desk(tmp_path, url, server.url) as bot:
            await bot.until(run)
            assert await bot.outcomes(run) == []
    assert "Not done: lab.dance has changed since the model called it: it was not there" in server.asked[1].results[0]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_without_a_change_the_call_is_made_and_nothing_is_said(url: str, tmp_path: Path) -> None:
    """The control: same kill, same plugin."""
    with LlmServer(turns(ANSWER, conclude())) as server:
        run = await killed(tmp_path, url, server.url, "save.after", 2)
        async with desk(tmp_path, url, server.url) as bot:
            ended = await bot.until(run)
            assert bot.effects == [f"{run}:a1.0"]
            assert await bot.said(run) == ["I append it."]
    assert ended.conclusion["not_checked"] == []


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("at", ["executing", "ended.done"])
async def test_a_call_that_had_begun_is_seen_to_its_end(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """What the ledger holds is never called "not done": it may have happened."""
    with LlmServer(turns(ANSWER, conclude())) as server:
        run = await killed(tmp_path, url, server.url, at, 1)
        upgraded(monkeypatch)
        async with desk(tmp_path, url, server.url) as bot:
            ended = await bot.until(run)
            assert bot.effects == [f"{run}:a1.0"]
    assert "lab.append is done" in server.asked[1].results[0]
    assert any("lab.append has changed" in text for text in ended.conclusion["not_checked"])


async def test_an_approval_of_a_call_that_is_not_made_any_more_is_void(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(asked: Asked) -> Answer:
        return Answer("I look at it again.", [Use("lab-append", {"name": "p"})])

    script = turns(Answer("I append it.", [Use("lab-append", {"name": "p"})]), again, conclude(summary="both asked"))
    with LlmServer(script) as server:
        async with desk(tmp_path, url, server.url) as bot:
            run = (await bot.until(await bot.ask(), "waiting")).id
            (old,) = await bot.pending()
        upgraded(monkeypatch)
        async with desk(tmp_path, url, server.url) as bot:
            await bot.decide(old)
            new = await _asked_again(bot, run, old.id)
            assert bot.effects == []
            await bot.decide(new)
            ended = await bot.until(run)
            assert bot.effects == [f"{run}:a2.0"]
            closed = await bot.app.store.read(lambda conn: approvals.load(conn, old.id))
    assert (closed.state, new.call) == ("void", "a2.0")
    assert "lab.append has changed since the model called it" in str(closed.closed_reason)
    assert ended.conclusion["summary"] == "both asked"


async def _asked_again(bot: Desk, run: str, old: str) -> Any:
    async with asyncio.timeout(20):
        while True:
            waiting: Run = await bot.until(run, "waiting", "done")
            found = [approval for approval in await bot.pending() if approval.id != old]
            if found and waiting.waiting_for == f"approval:{found[0].id}":
                return found[0]
            await asyncio.sleep(0.01)
