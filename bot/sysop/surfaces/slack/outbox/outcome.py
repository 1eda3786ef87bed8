"""What follows when a row could not be told: later, in doubt, or given up and somebody hears of it."""

from __future__ import annotations

import logging
import random
from typing import Final

from sysop.model import new_id
from sysop.store import outbox
from sysop.store.conversations import Conversation
from sysop.store.outbox import Head, Item
from sysop.store.writer import Tx
from sysop.surfaces.slack.outbox import rates
from sysop.surfaces.slack.outbox.absence import Absence
from sysop.surfaces.slack.outbox.calls import Calls
from sysop.surfaces.slack.outbox.duty import Duty
from sysop.surfaces.slack.outbox.failures import CallFailed, Kind
from sysop.surfaces.slack.outbox.health import Health
from sysop.surfaces.slack.outbox.sending import Pace, TooEarly

GIVE_UP: Final = 6
"""So often our own code may break over one row."""
HARMLESS: Final = (rates.UPDATE, rates.PUBLISH)
"""What may be done twice: it shows the newest either way."""

log = logging.getLogger(__name__)


class Outcomes:
    """Stores what became of rows."""

    def __init__(self, duty: Duty, calls: Calls, pace: Pace, health: Health, absence: Absence) -> None:
        self._duty = duty
        self._calls = calls
        self._pace = pace
        self._health = health
        self._absence = absence

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
        elif failed.kind is Kind.PLACE and head.conversation is not None:
            await self._not_there(head, head.conversation, failed, doubtful=doubtful)
        else:
            await self.give_up(item, str(failed))
            if failed.kind is Kind.TARGET and head.conversation is not None:
                await self._absence.tell_owner(head.conversation, failed, "Ask me here.")

    def _token(self, head: Head, failed: CallFailed) -> None:
        """Note what the token cannot do. A scope that is missing holds up who needs it, anything else everybody."""
        team = head.conversation.team if head.conversation is not None else ""
        team = self._calls.team(team or (head.item.key or "").removeprefix("home:").partition(".")[0])
        if failed.code == "missing_scope":
            self._health.missing[head.item.thread] = str(failed)
        else:
            self._health.stop(team, failed.code, self._pace.token_ms / 1000)

    async def _not_there(self, head: Head, talk: Conversation, failed: CallFailed, *, doubtful: bool) -> None:
        """Begin elsewhere, or wait until somebody brings us there. A direct message is nowhere to be brought to."""
        direct = talk.channel.startswith("D")
        if not direct and not doubtful and await self._absence.move(head, talk):
            return
        wait = self._jittered(max(self._pace.longest_ms, self._pace.token_ms))
        if direct or not await self._absence.wait(head, talk, failed, wait, doubtful=doubtful):
            await self.give_up(head.item, str(failed))
            self._absence.over(head)

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
        return self._jittered(min(self._pace.longest_ms, self._pace.retry_ms * 2 ** min(item.attempts, 10)))

    def _jittered(self, longest_ms: int) -> int:
        return int(longest_ms * random.uniform(0.5, 1))  # noqa: S311 (jitter)
