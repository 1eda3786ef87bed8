"""What every listener is handed, and the shape all of them share: acknowledge, work, answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext

from sysop.conversations import Conversations
from sysop.errors import CallError, InvalidRequest, NoSuch, RunbookError
from sysop.host import Host
from sysop.incidents.lifecycle import Lifecycle
from sysop.incidents.regroup import Regroup
from sysop.incidents.silences import Silences
from sysop.inventory import Inventory
from sysop.knowledge.citation import MAX_AGE_DAYS
from sysop.knowledge.index import Index
from sysop.model import Actor
from sysop.sections import SlackSettings
from sysop.service import Service
from sysop.store.store import Store
from sysop.surfaces.slack import incoming as edge
from sysop.surfaces.slack import look
from sysop.surfaces.slack.answers import Answers, notice
from sysop.surfaces.slack.blocks.names import Names
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.clients import Clients, SlackUnavailable
from sysop.surfaces.slack.directory import Directory
from sysop.surfaces.slack.incoming import Incoming
from sysop.surfaces.slack.links import Links

SURFACE = "slack"
OUTSIDE = "Only members of this workspace can ask Sysop for something."
ONLY_MEMBERS = "Only full members of this workspace can do that; guests can ask, and look at /sysop status."
ONLY_ROLES = "That is for people who hold a role of Sysop's; an operator gives roles in the settings."

_LISTED: Final = {
    "approval": "; /sysop approve lists those that wait",
    "incident": "; /sysop incident lists the open ones",
    "silence": "; /sysop silence lists those that hold",
}
"""Where ids are listed here, by what they name."""

Keep = Callable[[Incoming, str | None], Awaitable[bool]]
"""Writes a delivery into the inbox; False when it was there."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Desk:
    """The parts of Sysop that listeners need. One a process. A review older than `max_age_days` is stale."""

    store: Store
    service: Service
    conversations: Conversations
    lifecycle: Lifecycle
    regroup: Regroup
    silences: Silences
    directory: Directory
    index: Index
    host: Host
    inventory: Inventory
    settings: SlackSettings
    clients: Clients
    answers: Answers
    links: Links
    keep: Keep
    max_age_days: int = MAX_AGE_DAYS

    async def names(self, team: str) -> Names:
        """Return how people are shown in a workspace."""
        return await self.store.read(lambda conn: look.names(conn, team))


@dataclass(frozen=True)
class Asking:
    """A delivery and who it is from, as Slack has just said. `attempt` counts how often it was begun."""

    it: Incoming
    actor: Actor
    attempt: int = 1

    @property
    def key(self) -> str:
        """Return the key under which it is handled once."""
        return self.it.key


class Need(Enum):
    """What somebody must be for a listener to work; whoever is from outside the workspace is nobody here."""

    ACCOUNT = "account"
    MEMBER = "member"
    ROLE = "role"


def lacking(actor: Actor, need: Need) -> str | None:
    """Return why this is not for them, None where it is."""
    if need is not Need.ACCOUNT and not actor.human:
        return ONLY_MEMBERS
    return ONLY_ROLES if need is Need.ROLE and not actor.roles else None


NeedOf = Callable[[Incoming], Need]
"""Returns what a delivery needs, where one listener does several things."""
Work = Callable[[Desk, Asking], Awaitable[Shown | None]]
"""Does what was asked, so that a repeat of it does nothing, and returns what to tell the person, if anything."""
Listener = Callable[..., Awaitable[None]]


def listener(desk: Desk, work: Work, need: Need | NeedOf = Need.MEMBER) -> Listener:
    """Return a Bolt listener: it works for those alone who are what it needs.

    What cannot be is told to the person, what went wrong is tried again.
    """

    async def listen(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext) -> None:
        await ack()
        it = edge.parse(body)
        if it is not None:
            await answer(desk, it, work, need, int(context.get("attempt") or 1))

    return listen


async def answer(desk: Desk, it: Incoming, work: Work, need: Need | NeedOf, attempt: int = 1) -> None:
    """Do the work of one delivery and tell the person what there is to tell."""
    try:
        said = await _done(desk, it, work, need, attempt)
    except NoSuch as unknown:
        said = notice(f"{unknown.bare}{_LISTED.get(unknown.kind, '')}")
    except (InvalidRequest, CallError, RunbookError) as refused:
        said = notice(str(refused))
    except SlackUnavailable as away:
        if it.kind == "event":
            raise  # there is time: it is tried again
        said = notice(f"Nothing was done: {away}. Try again in a moment.")
    if said is not None:
        await desk.answers.say(it, said)


async def _done(desk: Desk, it: Incoming, work: Work, need: Need | NeedOf, attempt: int) -> Shown | None:
    account = await desk.directory.account(it.team, it.user)
    if account.external:
        return notice(OUTSIDE)
    actor = await desk.directory.actor(it.team, it.user)
    why = lacking(actor, need if isinstance(need, Need) else need(it))
    return notice(why) if why else await work(desk, Asking(it, actor, attempt))
