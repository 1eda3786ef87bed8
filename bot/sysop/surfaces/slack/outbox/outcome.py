"""What follows when a row could not be told: later, in doubt, or given up and somebody hears of it."""

from __future__ import annotations

import logging
import random
from typing import Final

from sqlalchemy import Connection

from sysop.model import new_id
from sysop.store import members, outbox
from sysop.store.conversations import Conversation
from sysop.store.outbox import Head, Item
from sysop.store.store import Store
from sysop.store.writer import Tx
from sysop.surfaces.slack.outbox import rates
from sysop.surfaces.slack.outbox.calls import Calls
from sysop.surfaces.slack.outbox.duty import Duty
from sysop.surfaces.slack.outbox.failures import CallFailed, Kind
from sysop.surfaces.slack.outbox.health import Health
from sysop.surfaces.slack.outbox.sending import Pace, TooEarly

GIVE_UP: Final = 6
"""So often our own code may break over one row."""
HARMLESS: Final = (rates.UPDATE, rates.PUBLISH)
"""What may be done twice: it shows the newest either way."""
MOST_TOLD: Final = 1000

log = logging.getLogger(__name__)


class Outcomes:
    """Stores what became of rows."""

    def __init__(self, store: Store, duty: Duty, calls: Calls, pace: Pace, health: Health) -> None:
        self._store = store
        self._duty = duty
        self._calls = calls
        self._pace = pace
        self._health = health
        self._told: set[str] = set()

    async def too_early(self, item: Item, early: TooEarly) -> None:
        """Put a row back until its time comes."""
        await self._duty.write(lambda tx: outbox.later(tx, item.id, early.not_before, "too early"))

    async def doubt(self, item: Item, error: str) -> None:
        """Have the row looked for."""
        await self._duty.write(lambda tx: outbox.doubt(tx, item.id, error, self._pace.doubt_ms))

    async def give_up(self, item: Item, error: str) -> None:
        """Let the thread go on without the row."""
        log.error("message %d is given up: %s", item.id, error)
        self._health.dead += 1
        self._health.refused[item.kind] = error
        await self._duty.write(lambda tx: outbox.dead(tx, item.id, error))

    async def broken(self, item: Item, bug: Exception) -> None:
        """Note that our own code broke over a row."""
        reference = new_id("err")
        log.error("message %d could not be sent, reference %s", item.id, reference, exc_info=bug)
        if item.attempts >= GIVE_UP:
            await self.give_up(item, f"an internal error, reference {reference} in the log")
        else:
            await self.doubt(item, f"an internal error, reference {reference}")

    async def failed(self, head: Head, failed: CallFailed, *, doubtful: bool) -> None:
        """Store what follows from a call that failed. `doubtful`: some of the row may be there already."""
        item = head.item
        log.warning("message %d: %s, %s", item.id, failed, failed.kind)
        if failed.kind is Kind.TOKEN:
            self._token(head, failed)
        if failed.kind in (Kind.LATER, Kind.TOKEN):
            await self._again(item, failed, doubtful=doubtful)
        elif failed.kind is Kind.DOUBT:
            await self._in_doubt(item, failed)
        else:
            await self.give_up(item, str(failed))
            if failed.kind is Kind.TARGET and head.conversation is not None:
                await self._tell_owner(head.conversation, failed)

    def _token(self, head: Head, failed: CallFailed) -> None:
        """Note what the token cannot do. A scope that is missing holds up who needs it, anything else everybody."""
        team = head.conversation.team if head.conversation is not None else ""
        team = self._calls.team(team or (head.item.key or "").removeprefix("home:").partition(".")[0])
        if failed.code == "missing_scope":
            self._health.missing[head.item.thread] = str(failed)
        else:
            self._health.stop(team, failed.code, self._pace.token_ms / 1000)

    async def _again(self, item: Item, failed: CallFailed, *, doubtful: bool) -> None:
        wait = self._back_off(item)  # what Slack told to wait for, the method waits for
        if failed.code == "missing_scope":
            wait = max(wait, self._pace.token_ms)

        def unit(tx: Tx) -> None:
            if doubtful:
                outbox.doubt(tx, item.id, str(failed), wait)
            else:
                outbox.later(tx, item.id, tx.now() + wait, str(failed))

        await self._duty.write(unit)

    async def _in_doubt(self, item: Item, failed: CallFailed) -> None:
        if item.kind == "ephemeral":
            await self.give_up(item, f"{failed}; nobody can tell whether it was shown, and it is never shown twice")
        elif failed.method in HARMLESS:
            wait = self._back_off(item) if failed.answered else self._pace.doubt_ms
            await self._duty.write(lambda tx: outbox.later(tx, item.id, tx.now() + wait, str(failed)))
        else:
            await self.doubt(item, str(failed))

    def _back_off(self, item: Item) -> int:
        longest = min(self._pace.longest_ms, self._pace.retry_ms * 2 ** min(item.attempts, 10))
        return int(longest * random.uniform(0.5, 1))  # noqa: S311 (jitter)

    async def _tell_owner(self, talk: Conversation, failed: CallFailed) -> None:
        """Tell who began a conversation, once and in private, that it cannot be answered where it is."""
        user = await self._store.read(lambda conn: _account(conn, talk)) if talk.owner else None
        if user is None or talk.channel.startswith("D") or talk.id in self._told or len(self._told) > MOST_TOLD:
            return
        self._told.add(talk.id)
        words = f"I cannot answer in <#{talk.channel}> ({failed.code}). Invite me there, or ask me here."
        try:
            line = await self._calls.line(talk.team, guard=self._duty.check)
            await line.post(user, None, {"text": words})
        except CallFailed as also:
            log.warning("who began conversation %s could not be told either: %s", talk.id, also)


def _account(conn: Connection, talk: Conversation) -> str | None:
    """Return the user in the conversation's workspace who began it."""
    here = f"slack:{talk.team}."
    accounts = [one.id for one in members.everybody(conn) if one.actor == talk.owner or one.id == talk.owner]
    return next((id.removeprefix(here) for id in accounts if id.startswith(here)), None)
