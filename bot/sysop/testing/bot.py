"""A running Sysop and people who talk to it: what tests of plugins are written with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

from sysop.app import App
from sysop.model import Approval, AuditEntry, Outcome, Run
from sysop.store import approvals, effects, runs
from sysop.testing import quiet
from sysop.testing.alerts import Alerts
from sysop.testing.driver import Driver
from sysop.testing.errors import NotSettled, NotThere
from sysop.testing.moving import Moving
from sysop.testing.seen import Seen, transcript

T = TypeVar("T")
WITHIN_S: Final = 20.0
LOOK_S: Final = 0.02
"""So often, at least, it is looked whether all has settled; most changes wake whoever waits at once."""

Webhook = Callable[[str, Mapping[str, Any]], Awaitable[None]]
"""Posts something to the webhook of a source."""


class Bot:
    """One Sysop in one Slack. Whoever acts last is who `last`, `told`, `thread` and `answer` are about.

    Every act waits until all that follows from it has happened: the run has ended or waits for people, and everything
    that Sysop had to say is said. With `wait=False` it returns at once.
    """

    user: str = "requester"
    """Who acts where nobody is named."""
    channel: str = "general"
    """Where they write where no channel is named."""

    def __init__(self, app: App, slack: Driver, webhook: Webhook, clock: Moving) -> None:
        self.app = app
        self.slack = slack
        self._webhook = webhook
        self._clock = clock
        self._changed = asyncio.Event()
        app.store.observe([self._noticed])
        self._who = self.user
        self._seen: Sequence[Seen] = ()
        self._fresh: Sequence[Seen] = ()
        self._last: Seen | None = None
        self._alerts = Alerts()
        self._mark = 0

    def _noticed(self, _entry: AuditEntry) -> None:
        self._changed.set()

    # -- what people do -----------------------------------------------------------------------------------------------

    async def say(
        self,
        text: str,
        *,
        user: str | None = None,
        channel: str | None = None,
        thread: Seen | None = None,
        wait: bool = True,
        **more: Any,
    ) -> Seen | None:
        """Write something: a command if it begins with a slash, else a message, in the thread of another if named."""
        who, where = user or self.user, channel or (thread.channel if thread else self.channel)
        if text.startswith("/"):
            return await self._act(who, lambda: self.slack.command(who, where, text), wait)
        root = thread.root if thread else None
        return await self._act(who, lambda: self.slack.say(who, where, text, thread=root, **more), wait)

    async def write(self, text: str, *, user: str | None = None, **more: Any) -> Seen | None:
        """Write a direct message to the bot."""
        who = user or self.user
        return await self.say(text, user=who, channel=await self.slack.open_messages(who), **more)

    async def click(
        self, label: str, *, user: str | None = None, on: Seen | None = None, wait: bool = True
    ) -> Seen | None:
        """Press a button: of the newest message that has it, or of what is named; yes, they are sure."""
        who = user or self.user
        where = on or await self._with_button(who, label)
        return await self._act(who, lambda: self.slack.click(who, where, label), wait)

    async def submit(self, values: Mapping[str, Any], *, user: str | None = None, wait: bool = True) -> Seen | None:
        """Fill in the form that is open for somebody, or about to be, and send it. Raises Refused with its errors."""
        who = user or self.user
        form = await self.form(user=who)
        return await self._act(who, lambda: self.slack.submit(who, form, values), wait)

    async def close(self, *, user: str | None = None) -> Seen | None:
        """Close the form without sending it."""
        who = user or self.user
        form = await self.form(user=who)
        return await self._act(who, lambda: self.slack.close(who, form), True)

    async def shortcut(
        self, name: str, *, user: str | None = None, on: Seen | None = None, wait: bool = True
    ) -> Seen | None:
        """Use a shortcut by its name, on a message if it is one for messages."""
        who = user or self.user
        return await self._act(who, lambda: self.slack.shortcut(who, name, on), wait)

    async def react(self, emoji: str, *, user: str | None = None, on: Seen | None = None) -> Seen | None:
        """React to a message, the last one if none is named."""
        who = user or self.user
        return await self._act(who, lambda: self.slack.react(who, on or self.last, emoji), True)

    async def stop(self, *, user: str | None = None, on: Seen | None = None, wait: bool = True) -> Seen | None:
        """Press Stop in a thread, the current one if no message of one is named."""
        who = user or self.user
        return await self._act(who, lambda: self.slack.stop(who, on or self.last), wait)

    async def open_home(self, *, user: str | None = None) -> Seen:
        """Look at the Home, as it is once it is up to date."""
        who = user or self.user
        await self._act(who, lambda: self.slack.open_home(who), True)
        return await self.slack.wait_for(who, "the Home", lambda: self.slack.home(who), WITHIN_S)

    async def alert(
        self,
        labels: Mapping[str, str],
        *,
        firing: bool = True,
        annotations: Mapping[str, str] | None = None,
        wait: bool = True,
    ) -> Seen | None:
        """Let Alertmanager send an alert, or say with `firing=False` that it is over."""
        body = self._alerts.delivery(labels, annotations or {}, firing=firing)
        return await self._act(self.user, lambda: self._webhook("alertmanager", body), wait)

    async def pass_time(self, by: timedelta) -> Seen | None:
        """Let time pass for Sysop: approvals expire, what waits falls due. SQLite only."""
        if not self.app.store.embedded:
            raise NotThere("PostgreSQL has a clock of its own, which nobody can move")

        async def move() -> None:
            self._clock.advance(by)
            await self.app.store.write(lambda tx: tx.audit("system", "time.moved", "service:test") and None)

        return await self._act(self._who, move, True)

    async def _act(self, who: str, act: Callable[[], Awaitable[object]], wait: bool) -> Seen | None:
        self._who, before = who, await self.slack.everything(who)
        await act()
        if wait:
            await self.settled()
        return await self._look(before)

    async def _with_button(self, who: str, label: str) -> Seen:
        """Return the newest thing with a button, a form before messages."""
        form = await self.slack.form(who)
        seen = [*await self.slack.everything(who), *([form] if form else [])]
        for one in reversed(seen):
            if label in one.labels:
                return one
        raise NotThere(f"{who} sees no button {label!r}; there is:\n{transcript(seen)}")

    # -- what they see ------------------------------------------------------------------------------------------------

    async def _look(self, before: Sequence[Seen]) -> Seen | None:
        """Read what is there; the newest of what is new or has changed is the last: a form, else a word in a thread."""
        known = {(one.channel, one.id): one for one in before}
        self._seen = await self.slack.everything(self._who)
        self._fresh = [one for one in self._seen if known.get((one.channel, one.id)) != one and one.mine]
        form = await self.slack.form(self._who)
        newest = max(self._fresh, key=lambda one: (one.thread is not None, one.id), default=None)
        self._last = form or newest or self._last
        return form or newest

    async def look(self, *, user: str | None = None) -> Seen | None:
        """Look again, as somebody else if they are named, and return the newest message of Sysop's that they see."""
        self._who = user or self._who
        return await self._look(())

    @property
    def last(self) -> Seen:
        """Return what whoever acted last saw last: a form that opened, else what came in a thread, else beside it."""
        if self._last is None:
            raise NotThere(f"Sysop has said nothing to {self._who} yet")
        return self._last

    @property
    def told(self) -> Seen | None:
        """Return what only that person was told in answer to their last act: why a click lost, how a command went."""
        return next((one for one in reversed(self._fresh) if one.private), None)

    @property
    def fresh(self) -> Sequence[Seen]:
        """Return all that is new or has changed for that person since their last act, oldest first."""
        return self._fresh

    @property
    def thread(self) -> Sequence[Seen]:
        """Return the thread the last message is in, its root first, as that person sees it."""
        last = self.last
        return [one for one in self._seen if one.channel == last.channel and one.root == last.root]

    @property
    def answer(self) -> Seen:
        """Return the answer of the last run in the thread."""
        for one in reversed(self.thread):
            if "Helpful" in one.labels:
                return one
        raise NotThere(f"there is no answer in this thread:\n{transcript(self.thread)}")

    async def form(self, *, user: str | None = None) -> Seen:
        """Return the form that is open for somebody, or about to be."""
        who = user or self.user
        return await self.wait_for("a form", lambda: self.slack.form(who), user=who)

    async def wait_for(
        self, what: str, look: Callable[[], Awaitable[T | None]], *, user: str | None = None, within: float = WITHIN_S
    ) -> T:
        """Look again whenever something changes for a person; a failure shows all they see."""
        who = user or self.user
        try:
            return await self.slack.wait_for(who, what, look, within)
        except NotThere as failed:
            raise NotThere(f"{failed}; there is:\n{transcript(await self.slack.everything(who))}") from None

    async def wait_for_message(self, words: str, *, user: str | None = None, within: float = WITHIN_S) -> Seen:
        """Return the newest message with these words, or a button of this name, once there is one."""
        who = user or self.user

        async def look() -> Seen | None:
            found = [one for one in await self.slack.everything(who) if words in one or words in one.labels]
            return found[-1] if found else None

        return await self.wait_for(f"{words!r}", look, user=who, within=within)

    def transcript(self) -> str:
        """Return everything the last person saw, as plain text."""
        return f"as {self._who} saw it:\n{transcript(self._seen)}"

    # -- what Sysop knows ---------------------------------------------------------------------------------------------

    async def settled(self, within: float = WITHIN_S) -> None:
        """Wait until nothing is under way: what people did was delivered and worked on, and all is said."""
        busy = ""
        try:
            async with asyncio.timeout(within):
                while busy := await self._busy():
                    self._changed.clear()
                    await _either(self._changed, LOOK_S)
        except TimeoutError:
            seen = transcript(await self.slack.everything(self._who))
            raise NotSettled(f"after {within} s: {busy}; {self._who} sees:\n{seen}") from None

    async def _busy(self) -> str:
        """Return what is under way. Deliveries first: one that is acknowledged stands in the inbox."""
        mark, wire = await self.slack.wire(self._mark)
        acked = {(one.id, one.attempt) for one in wire if one.kind == "ack"}
        flying = [one for one in wire if one.kind == "envelope" and (one.id, one.attempt) not in acked]
        if flying:
            return f"{flying[0].name} is being delivered"
        quiet_ms = self.app.settings.incidents.quiet_seconds * 1000
        busy = await self.app.store.read(lambda conn: quiet.under_way(conn, quiet_ms))
        self._mark = self._mark if busy else mark
        return busy

    async def run(self, id: str | None = None) -> Run:
        """Return a run, the newest if none is named."""
        if id is not None:
            return await self.app.store.read(lambda conn: runs.load(conn, id))
        found = await self.app.store.read(lambda conn: runs.newest(conn, 1))
        if not found:
            raise NotThere("there is no run yet")
        return found[0]

    async def outcomes(self, run: str | None = None) -> Sequence[Outcome]:
        """Return what became of each call of a run, the newest run's if none is named."""
        id = (await self.run(run)).id
        return [effect.outcome() for effect in await self.app.store.read(lambda conn: effects.of_run(conn, id))]

    async def approval(self) -> Approval:
        """Return the newest approval that was asked for."""
        found = await self.app.store.read(lambda conn: approvals.listed(conn, pending_only=False, limit=1))
        if not found:
            raise NotThere("nobody was asked to approve anything yet")
        return found[0]


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, or so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
