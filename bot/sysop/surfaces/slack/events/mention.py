"""Somebody names us in a channel: the thread of that message becomes a conversation."""

from __future__ import annotations

from slack_bolt.async_app import AsyncApp

from sysop.surfaces.slack import talk
from sysop.surfaces.slack.answers import notice
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.desk import Asking, Desk, Need, listener
from sysop.surfaces.slack.words import without_mention

EVENT = "app_mention"
NO_WORDS = "Say what to look into behind my name. What else there is: /sysop help"


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to mentions."""
    app.event(EVENT)(listener(desk, mentioned, Need.ACCOUNT))


async def mentioned(desk: Desk, asking: Asking) -> Shown | None:
    """Take up what was said to us."""
    ours = await desk.clients.at(asking.it.team)
    text = without_mention(asking.it.text, ours.identity.user)
    return await talk.hear(desk, asking, text) if text else notice(NO_WORDS)
