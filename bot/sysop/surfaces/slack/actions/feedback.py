"""What people think of an answer."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.errors import InvalidRequest
from sysop.store import conversations
from sysop.surfaces.slack.answers import notice
from sysop.surfaces.slack.blocks import answer
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.desk import Asking, Desk, Need, listener


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to both thumbs."""
    app.action(answer.FEEDBACK)(listener(desk, feedback, Need.ACCOUNT))


async def feedback(desk: Desk, asking: Asking) -> Shown:
    """Store an opinion; the newest of each person counts."""
    it = asking.it
    found = answer.opinion(it.value)
    if found is None:
        raise InvalidRequest("this button belongs to no answer of Sysop's")
    run, helpful = found
    talk = await desk.store.read(lambda conn: conversations.of_run(conn, run))
    if talk is None or (talk.team, talk.channel) != (it.team, it.channel):
        raise InvalidRequest("this button belongs to no answer in this channel")
    await desk.service.feedback(run, asking.actor, helpful)
    return notice("Noted, thank you." if helpful else "Noted. Write in the thread what was wrong, and it is looked at.")
