"""Somebody opens our Home or our messages."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError, SlackClientError

from sysop.store import members, outbox
from sysop.store.writer import Tx
from sysop.surfaces.slack import keys
from sysop.surfaces.slack.clients import UNREACHABLE
from sysop.surfaces.slack.desk import Asking, Desk, Need, listener
from sysop.surfaces.slack.directory import member_id

OPENED: Final = "app_home_opened"
MOVED: Final = "app_context_changed"
# Only what is answered without a model, too, and what changes nothing.
PROMPTS: Final[Sequence[Mapping[str, str]]] = (
    {"title": "What is broken?", "message": "What is broken right now?"},
    {"title": "Open approvals", "message": "Show the open approvals"},
)

log = logging.getLogger(__name__)


def register(app: AsyncApp, desk: Desk) -> None:
    """Listen to both."""
    app.event(OPENED)(listener(desk, opened, Need.ACCOUNT))

    async def moved() -> None:
        """Take a hint that nothing of ours needs: what people look at is not what they ask for."""

    app.event(MOVED)(moved)


async def opened(desk: Desk, asking: Asking) -> None:
    """Show the Home as it is now and keep it fresh for a while; above the messages, offer what can be asked."""
    it = asking.it
    if it.event.get("tab") == "home":

        def unit(tx: Tx) -> None:
            members.seen(tx, member_id(it.team, it.user))
            outbox.home(tx, keys.home(it.team, it.user))

        await desk.store.write(unit)
    elif it.channel:
        await _offer(desk, asking)


async def _offer(desk: Desk, asking: Asking) -> None:
    """Set suggested prompts, without a thread: Slack ignores them silently with one."""
    write = (await desk.clients.at(asking.it.team)).write
    try:
        await write.assistant_threads_setSuggestedPrompts(
            channel_id=asking.it.channel,
            prompts=[dict(prompt) for prompt in PROMPTS],
        )
    except (SlackApiError, SlackClientError, *UNREACHABLE) as refused:
        log.info("no prompts were offered (%s)", type(refused).__name__)
