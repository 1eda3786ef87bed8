"""Sends one row: finds out what it must say, takes it, and makes the calls."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import Connection

from sysop.errors import InvalidRequest, LeaseLost, StoreError
from sysop.store import outbox
from sysop.store.outbox import Head, Item
from sysop.store.store import Store
from sysop.store.writer import Tx
from sysop.surfaces.slack.blocks.plan import PlanDocument
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.outbox import posting, rates, streams
from sysop.surfaces.slack.outbox.absence import Absence, Office
from sysop.surfaces.slack.outbox.calls import Calls
from sysop.surfaces.slack.outbox.duty import Duty
from sysop.surfaces.slack.outbox.failures import CallFailed, Kind
from sysop.surfaces.slack.outbox.health import Health
from sysop.surfaces.slack.outbox.outcome import GIVE_UP, Outcomes
from sysop.surfaces.slack.outbox.rates import Lane, Pass
from sysop.surfaces.slack.outbox.reconcile import look
from sysop.surfaces.slack.outbox.sending import Document, Pace, Probe, Renderer, Sending, TooEarly
from sysop.surfaces.slack.outbox.session import Sessions
from sysop.surfaces.slack.outbox.streams import Plans

_LOOK_AGAIN = (Kind.LATER, Kind.DOUBT, Kind.TOKEN, Kind.PLACE)

log = logging.getLogger(__name__)


def team_of(head: Head) -> str:
    """Return the workspace a row is for, "" where it was not known yet."""
    if head.conversation is not None:
        return head.conversation.team
    return (head.item.key or "").removeprefix("home:").partition(".")[0]


def channel_of(head: Head) -> tuple[str, str]:
    """Return the workspace and the channel a row is for; all Homes of a workspace are one."""
    return team_of(head), head.conversation.channel if head.conversation is not None else ""


def lane_of(head: Head, team: Callable[[str], str]) -> Lane | None:
    """Return which budget a row will use; None where it is found out on the way."""
    item = head.item
    if item.state != "pending" or _may_stream(head):
        return None
    known = rates.UPDATE if head.message is not None else rates.POST
    methods = {
        "ephemeral": rates.EPHEMERAL,
        "home": rates.PUBLISH,
        "file": rates.UPLOAD,
        "message": known,
        "post": rates.POST,
    }
    method = methods[item.kind]
    channel = head.conversation.channel if head.conversation is not None and method == rates.POST else ""
    return Lane(team(team_of(head)), method, channel)


def _may_stream(head: Head) -> bool:
    """Tell whether a row is a plan that may be written as a stream: in a thread that has begun, for somebody."""
    if not (head.item.key or "").startswith("plan:"):
        return False
    if head.message is not None:
        return head.message.kind == "stream"
    return head.conversation is None or head.conversation.root is not None


class Delivery:
    """Does for one row at a time whatever is due."""

    def __init__(
        self,
        store: Store,
        renderer: Renderer,
        calls: Calls,
        duty: Duty,
        pace: Pace,
        health: Health,
        probe: Probe,
        office: Office,
    ) -> None:
        self._store = store
        self._renderer = renderer
        self._calls = calls
        self._duty = duty
        self._pace = pace
        self._health = health
        self._probe = probe
        self._plans = Plans(renderer, Sessions())
        self._absence = Absence(store, duty, calls, health, office)
        self._outcomes = Outcomes(duty, calls, pace, health, self._absence)

    async def send(self, head: Head, paid: Pass, open_streams: int) -> None:
        """Send a row, or look for one in doubt and then send it. Raises LeaseLost or StoreError only."""
        item = head.item
        if item.state == "sending":  # cut off before anybody could store what became of it
            await self._outcomes.doubt(item, "cut off")
            return
        s: Sending | None = None
        try:
            line = await self._calls.line(team_of(head), paid, self._duty.check)
            s = Sending(head, self._store, line, self._duty, self._pace, self._probe, streams=open_streams)
            await self._send(s)
            self._health.missing.pop(item.thread, None)
            self._absence.over(head)
        except TooEarly as early:
            await self._outcomes.too_early(item, early)
        except CallFailed as failed:
            await self._outcomes.failed(head, failed, doubtful=item.state == "unknown" if s is None else s.doubtful)
        except InvalidRequest as odd:
            await self._outcomes.give_up(item, str(odd))
        except (LeaseLost, StoreError):
            raise
        except Exception as bug:  # rendering, or our own code: one row that breaks it must not stop the others
            await self._outcomes.broken(item, bug)

    async def _send(self, s: Sending) -> None:
        item = s.item
        if item.state == "unknown":
            if item.kind == "ephemeral":
                await self._outcomes.give_up(item, "nobody can tell whether it was shown; it is never shown twice")
                return
            await self._look(s)
        elif item.kind == "message" and s.message is not None:
            await self._in_time(s)
        if await self._taken(s):
            self._probe("taken")
            s.doubtful = False
            await self._tell(s)
            self._health.sent += 1

    async def _look(self, s: Sending) -> None:
        """Find out what became of a row in doubt."""
        s.doubtful, s.now = True, await self._store.now()
        try:
            s.have = await look(s)
        except CallFailed as failed:
            if failed.kind in _LOOK_AGAIN:
                raise
            log.warning("the thread of %s cannot be looked into (%s); it is sent again", s.what, failed)
        if s.item.kind != "home" and not s.have and s.message is None:
            self._health.resent += 1

    async def _in_time(self, s: Sending) -> None:
        """Raise TooEarly for a plan that was brought up to date a moment ago, before the row is taken."""
        item, message = s.item, s.message
        if (item.key or "").startswith("plan:"):
            now, document = await self._store.read(lambda conn: self._document(conn, item))
            if isinstance(document, PlanDocument):
                streams.check_time(document, message, now, s.streams, self._pace)

    async def _taken(self, s: Sending) -> bool:
        item = s.item

        def take(tx: Tx) -> Head | None:
            if item.state == "unknown":
                outbox.later(tx, item.id, tx.now(), "looked for")
            return outbox.head(tx.conn, item.id) if outbox.take(tx, item.id) is not None else None

        head = await self._duty.write(take)
        if head is None:
            return False
        s.head = head
        return True

    async def _tell(self, s: Sending) -> None:
        if s.item.kind != "home" and s.talk.root is None and s.item.attempts < GIVE_UP:
            await self._begin(s)
        match s.item.kind:
            case "message":
                await self._message(s)
            case "home":
                await self._home(s)
            case "post":
                await posting.post(s)
            case "ephemeral":
                await posting.ephemeral(s)
            case "file":
                await posting.file(s)

    async def _begin(self, s: Sending) -> None:
        """Let a thread begin with what belongs there, and not with a row whose forerunner was given up or never was."""
        if posting.begins(s.item):
            return
        key = posting.first_key(s.talk)
        now = await self._store.now()
        first = await self._store.read(lambda conn: self._renderer.document(conn, key, now))
        if isinstance(first, Shown):
            await posting.first(s, key, first)

    def _document(self, conn: Connection, item: Item) -> tuple[int, Document | None]:
        now = Tx(conn).now()
        return now, self._renderer.document(conn, item.key or "", now)

    async def _message(self, s: Sending) -> None:
        item = s.item
        s.now, document = await self._store.read(lambda conn: self._document(conn, item))
        if isinstance(document, PlanDocument):
            await self._plans.send(s, document)
        elif isinstance(document, Shown):
            if s.message is None and (item.key or "").startswith("approval:"):
                await self._close_stream(s)
            await posting.message(s, document)
        else:
            await s.sent(s.message.ts if s.message is not None else None)

    async def _close_stream(self, s: Sending) -> None:
        """End what is still being written in the thread: a stream is never held while people decide."""
        talk = s.talk.id
        stream = await self._store.read(lambda conn: outbox.open_stream(conn, talk))
        if stream is not None:
            await self._plans.suspend(s, stream)

    async def _home(self, s: Sending) -> None:
        key = s.item.key or ""
        view = await self._store.read(lambda conn: self._renderer.home(conn, key, Tx(conn).now()))
        if view is None:
            await s.sent(None)
        else:
            await posting.home(s, view)
