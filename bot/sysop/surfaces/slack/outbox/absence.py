"""What follows where we are not in a channel: rows wait, an answer goes to whoever asked, and people hear of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from sysop.store import approvals, members, outbox
from sysop.store.conversations import Conversation
from sysop.store.outbox import Head
from sysop.store.store import Store
from sysop.store.writer import Tx
from sysop.surfaces.slack.outbox.calls import Calls
from sysop.surfaces.slack.outbox.duty import Duty
from sysop.surfaces.slack.outbox.failures import CallFailed
from sysop.surfaces.slack.outbox.health import Health

PATIENCE_MS: Final = 24 * 3_600_000
"""So long what was to be said in any channel but that of the incidents waits for an invitation."""
MOST_TOLD: Final = 1000
MOST_PEOPLE: Final = 20
_SOON: Final = "within about a minute"

log = logging.getLogger(__name__)


def _nobody() -> Iterable[str]:
    return ()


@dataclass(frozen=True)
class Office:
    """The channel of the incidents. `people` returns the users of its workspace whom the settings give a role."""

    channel: str = ""
    people: Callable[[], Iterable[str]] = _nobody


class Absence:
    """Decides what becomes of rows for channels we are not in."""

    def __init__(self, store: Store, duty: Duty, calls: Calls, health: Health, office: Office) -> None:
        self._store = store
        self._duty = duty
        self._calls = calls
        self._health = health
        self._office = office
        self._told: set[str] = set()

    async def move(self, head: Head, talk: Conversation) -> bool:
        """Begin a conversation elsewhere that cannot begin where it was meant to; False where it must not."""
        if talk.root is not None or self._ours(talk):
            return False
        place = await self._elsewhere(talk)
        if place is None:
            return False

        def unit(tx: Tx) -> None:
            outbox.moved(tx, talk.id, place)
            outbox.later(tx, head.item.id, tx.now(), f"it goes to {place}, since we are not in {talk.channel}")
            for one in approvals.open_of_run(tx.conn, talk.run) if talk.run else ():
                tx.touch(approvals.chain(one.id))  # who decides may have to be asked elsewhere now

        await self._duty.write(unit)
        return True

    async def wait(self, head: Head, talk: Conversation, failed: CallFailed, wait_ms: int, *, doubtful: bool) -> bool:
        """Let a row wait until somebody brings us there; False where it has waited long enough."""
        ours = self._ours(talk)
        if not ours and await self._store.now() - head.item.created_at > PATIENCE_MS:
            return False
        id, error = head.item.id, str(failed)
        await self._duty.write(lambda tx: outbox.absent(tx, id, wait_ms, error, doubtful=doubtful))
        self._health.absent[head.item.thread] = (talk.channel, failed.code)
        if ours:
            await self._tell_people(talk, failed)
        else:
            await self.tell_owner(talk, failed, f"Invite me there within a day and it comes, {_SOON}; or ask me here.")
        return True

    def over(self, head: Head) -> None:
        """Note that a row of a thread waits no more. Once nothing waits for its channel, people may be told anew."""
        channel, _ = self._health.absent.pop(head.item.thread, ("", ""))
        if channel and all(where != channel for where, _ in self._health.absent.values()):
            self._told.discard(channel)

    def _ours(self, talk: Conversation) -> bool:
        """Tell whether this is the channel of the incidents: what belongs there is never given up."""
        return talk.channel == self._office.channel and self._calls.team(talk.team) == self._calls.team("")

    async def _elsewhere(self, talk: Conversation) -> str | None:
        """Return where a conversation can begin: with whoever began it, an incident where incidents are told now."""
        if talk.incident is not None:
            return self._office.channel or None
        user = await self._owner(talk)
        if user is None:
            return None
        try:
            place = await self._calls.direct(talk.team, user)
            line = await self._calls.line(talk.team, guard=self._duty.check)
            words = f"I cannot answer in <#{talk.channel}>, because I am not there, so the answer comes here."
            await line.post(place, None, {"text": words})
        except CallFailed as also:
            log.warning("conversation %s cannot be moved: %s", talk.id, also)
            return None
        return place

    async def tell_owner(self, talk: Conversation, failed: CallFailed, way_out: str) -> None:
        """Tell who began a conversation, once and in private, that it cannot be answered where it is."""
        user = await self._owner(talk)
        if user is None or talk.channel.startswith("D") or not self._first(talk.id):
            return
        await self._tell(talk.team, [user], f"I cannot answer in <#{talk.channel}> ({failed.code}). {way_out}")

    async def _tell_people(self, talk: Conversation, failed: CallFailed) -> None:
        """Tell everybody with a role, once and in private, that incidents and approvals reach nobody."""
        if not self._first(talk.channel):
            return
        held = await self._store.read(lambda conn: _with_roles(conn, self._calls.team("")))
        words = (
            f"I am not in <#{talk.channel}> ({failed.code}), so nobody sees the incidents and approvals that belong"
            f" there. Invite me (`/invite @Sysop`) and they come, {_SOON}, or correct `slack.channel`. Until"
            " then my Home shows what waits for you."
        )
        await self._tell(talk.team, sorted({*held, *self._office.people()})[:MOST_PEOPLE], words)

    def _first(self, about: str) -> bool:
        if about in self._told or len(self._told) > MOST_TOLD:
            return False
        self._told.add(about)
        return True

    async def _tell(self, team: str, users: Iterable[str], words: str) -> None:
        for user in users:
            try:
                line = await self._calls.line(team, guard=self._duty.check)
                await line.post(user, None, {"text": words})
            except CallFailed as failed:
                log.warning("%s could not be told that we are not in a channel: %s", user, failed)

    async def _owner(self, talk: Conversation) -> str | None:
        return await self._store.read(lambda conn: _account(conn, talk)) if talk.owner else None


def _account(conn: Connection, talk: Conversation) -> str | None:
    """Return the user in the conversation's workspace who began it."""
    here = f"slack:{talk.team}."
    accounts = [one.id for one in members.everybody(conn) if one.actor == talk.owner or one.id == talk.owner]
    return next((id.removeprefix(here) for id in accounts if id.startswith(here)), None)


def _with_roles(conn: Connection, team: str) -> list[str]:
    """Return the users of a workspace who hold a role there."""
    here = f"slack:{team}."
    holders = [one.id for one in members.everybody(conn) if one.human and one.roles]
    return [id.removeprefix(here) for id in holders if id.startswith(here)]
