"""The agent's session of a thread: somebody presses Stop, or gives it another title."""

from __future__ import annotations

import logging
from typing import Final

from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError, SlackClientError
from sqlalchemy import Connection

from sysop.model import RunState
from sysop.store import conversations, runs
from sysop.store.conversations import Conversation
from sysop.surfaces.slack.answers import notice
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.clients import UNREACHABLE
from sysop.surfaces.slack.desk import Asking, Desk, Need, listener
from sysop.surfaces.slack.incoming import words

STOPPED: Final = "agent_session_stopped"
RETITLED: Final = "agent_session_title_changed"
WORKS: Final = "processing"
MAX_TITLE: Final = 200

log = logging.getLogger(__name__)


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to both."""
    app.event(STOPPED)(listener(desk, stopped, Need.ACCOUNT))
    app.event(RETITLED)(listener(desk, retitled, Need.ACCOUNT))


async def _talk(desk: Desk, asking: Asking) -> Conversation | None:
    it = asking.it
    return await desk.store.read(lambda conn: conversations.at(conn, it.team, it.channel, it.thread))


async def stopped(desk: Desk, asking: Asking) -> Shown | None:
    """Stop the work of a thread at its next safe point, and say what was and was not done by then.

    Slack leaves the status as it was, so we set it: what somebody may not stop still works.
    """
    talk = await _talk(desk, asking)
    if talk is None:
        return None
    stop = await desk.conversations.stop(talk.id, asking.actor)
    status = await desk.store.read(lambda conn: _status(conn, talk.id)) if stop.refused else "active"
    write = (await desk.clients.at(asking.it.team)).write
    try:
        await write.agents_sessions_setStatus(channel_id=asking.it.channel, thread_ts=asking.it.thread, status=status)
    except (SlackApiError, SlackClientError, *UNREACHABLE) as refused:
        log.info("the session's status was not set (%s)", type(refused).__name__)
    return notice(stop.text, desk.links) if stop.text else None


def _status(conn: Connection, talk: str) -> str:
    """Return how a thread stands by what goes on in it, as the plans of its runs show it."""
    live = conversations.under_way(conn, talk)
    if not live:
        return "active"
    return "suspended" if all(run.state is RunState.WAITING and runs.awaited(conn, run.id) for run in live) else WORKS


async def retitled(desk: Desk, asking: Asking) -> None:
    """Keep the title people gave a thread."""
    talk, title = await _talk(desk, asking), words(asking.it.event.get("title"))[:MAX_TITLE]
    if talk is not None and title:
        await desk.store.write(lambda tx: conversations.retitle(tx, talk.id, title))
