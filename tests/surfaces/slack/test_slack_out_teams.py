"""Several workspaces: what is told goes to the one whose channel the settings name, with that one's token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import out_kit as kit
import pytest
from out_kit import Out, Place

from gate.kit import Attack
from sysop.store import conversations
from sysop.surfaces.slack.clients import Clients
from sysop.surfaces.slack.look import Look
from sysop.surfaces.slack.project import Projector
from sysop.surfaces.slack.render import Rendered


class Installed:
    """Two workspaces may install; the one at home has."""

    def __init__(self, home: str, token: str) -> None:
        self.allowed: Sequence[str] = (home, "T0SECOND")
        self._tokens = {home: token}

    async def token(self, team: str) -> str | None:
        return self._tokens.get(team)

    async def teams(self) -> Sequence[str]:
        return tuple(self._tokens)

    async def forget(self, team: str, token: str) -> None:
        raise AssertionError(f"the token of {team} was given up")


class Several(Place):
    """A workspace of several."""

    def clients(self) -> Clients:
        kept = Installed(self.team, self.workspace.bot_token)
        return Clients(self.workspace.api_url, token=None, installations=kept)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with kit.workspace() as started:
        yield Several(started.workspace, started.http)


@pytest.mark.parametrize("named", [True, False])
async def test_an_approval_is_asked_at_home(tmp_path: Path, url: str, place: Place, named: bool) -> None:
    """The workspace is named by the projector; rows from before there were several do not say which."""
    bot = Attack(tmp_path, url)
    bot.app.store.project(Projector(place.channel("incidents"), place.team if named else ""))
    async with kit.sending(bot.app.store, place, pages=Rendered(Look(actions=bot.app.host.actions))) as out:
        approval = await bot.ask("append")
        await out.quiet()
        talk = await out.store.read(lambda conn: conversations.of_run(conn, approval.run))
        assert talk is not None
        assert talk.team == place.team
        assert "lab.append" in str(await out.thread(talk, "incidents"))
    await bot.close()


async def test_a_workspace_that_has_not_installed_keeps_none_waiting(tmp_path: Path, url: str, place: Place) -> None:
    bot = Attack(tmp_path, url)
    async with kit.sending(bot.app.store, place) as out:
        made = {"surface": "slack", "team": "T0SECOND", "channel": "C1", "root": None, "owner": "", "title": "x"}
        other = await out.store.write(lambda tx: conversations.create(tx, **made))
        held = await out.say(other, "not here")
        await kit.until(lambda: _stopped(out), "the other workspace is silent")
        talk = await out.talk()
        await out.say(talk, "here")
        await kit.until(lambda: kit.has(out, talk), "it was told")
        assert (await out.state(held)).state == "pending"
    await bot.close()


async def _stopped(out: Out) -> bool:
    return "T0SECOND" in out.sender.health.stopped
