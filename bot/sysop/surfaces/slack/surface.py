"""The Slack surface: builds every part of it inside the running loop, starts them in order and stops them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from slack_bolt.async_app import AsyncApp

from sysop.conversations import Conversations
from sysop.errors import SettingsError, StoreError
from sysop.gate.people import People
from sysop.host import Host
from sysop.incidents.lifecycle import Lifecycle
from sysop.incidents.regroup import Regroup
from sysop.incidents.silences import Silences
from sysop.inventory import Inventory
from sysop.knowledge.index import Index
from sysop.sections import SlackSettings
from sysop.service import Service
from sysop.store import inbox, outbox
from sysop.store.inbox import Delivery
from sysop.store.store import Store
from sysop.surfaces.refusals import Refusals
from sysop.surfaces.slack import bolt_app, listeners
from sysop.surfaces.slack import incoming as edge
from sysop.surfaces.slack.answers import Answers
from sysop.surfaces.slack.clients import Clients, SlackUnavailable
from sysop.surfaces.slack.consumer import Consumer, Result
from sysop.surfaces.slack.desk import Desk
from sysop.surfaces.slack.directory import Directory
from sysop.surfaces.slack.guard import Asgi, Receive, Scope, Send
from sysop.surfaces.slack.incoming import Incoming
from sysop.surfaces.slack.installations import Oauth
from sysop.surfaces.slack.intake import Intake
from sysop.surfaces.slack.look import Look
from sysop.surfaces.slack.outbox.absence import Office
from sysop.surfaces.slack.outbox.calls import Calls
from sysop.surfaces.slack.outbox.rates import Rates
from sysop.surfaces.slack.outbox.sender import Sender
from sysop.surfaces.slack.outbox.sending import Pace
from sysop.surfaces.slack.render import Extension, Rendered
from sysop.surfaces.slack.transport import Http, Socket, Transport
from sysop.surfaces.slack.views import opening

RETRY_S = 5.0
LOOKUP_S = 4.0
"""So long a call of a run may wait for Slack to say who asks for it; then who it is does not count."""
GREET_S = 8.0
TIDY_S = 3600.0
NO_SECRET = "socket mode verifies no signatures"  # noqa: S105 (not one)

Resolve = Callable[[str, str], str]
"""Returns what a reference to a secret points at; `Secrets.resolve`."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """What the surface needs of the rest of Sysop."""

    settings: SlackSettings
    resolve: Resolve
    store: Store
    service: Service
    conversations: Conversations
    lifecycle: Lifecycle
    regroup: Regroup
    silences: Silences
    people: People
    host: Host
    index: Index
    inventory: Inventory
    look: Look
    worker: str
    extension: Extension | None = None
    times: float = 1.0
    """How many times faster than Slack's the clock of a stand-in runs."""


@dataclass(frozen=True)
class _Running:
    """Everything that exists only while the surface runs."""

    clients: Clients
    directory: Directory
    intake: Intake
    consumer: Consumer
    sender: Sender
    transport: Transport
    answers: Answers
    oauth: Oauth | None
    bolt: AsyncApp


class SlackSurface:
    """One a process. `http_app` and `ticks` can be handed on before `start`; they do nothing until then."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._running: _Running | None = None
        self._meeting: asyncio.Task[None] | None = None
        self._tidy_at = 0.0
        self._working = False

    # -- begin and end ------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin. Raises SettingsError for a token Slack does not take; while Slack is away it keeps trying."""
        running = self._running = await self._build()
        self._parts.people.ask(self._lookup)
        try:
            await self._greet(running)
            await running.transport.start()
        except BaseException:
            await self.stop()
            raise
        self._meeting = asyncio.create_task(self._meet(running), name="slack meets")

    async def _greet(self, running: _Running) -> None:
        try:
            await running.clients.meet()
            async with asyncio.timeout(GREET_S):
                await running.directory.tick()
        except (SlackUnavailable, TimeoutError) as away:
            log.warning("Slack is away: %s; what it delivers is kept, what it shall be told waits", away)

    async def _lookup(self, ids: Sequence[str]) -> None:
        if self._running is None:
            return
        try:
            async with asyncio.timeout(LOOKUP_S):
                await self._running.directory.lookup(ids)
        except TimeoutError:
            log.warning("Slack did not say in time who %s are", ", ".join(ids))

    async def _meet(self, running: _Running) -> None:
        """Begin to work once it is known who we are: nothing could be answered or told before."""
        while not (running.clients.known.is_set() or running.clients.several):
            await asyncio.sleep(RETRY_S)
            try:
                await running.clients.meet()
            except (SlackUnavailable, SettingsError) as refused:
                log.warning("Slack is not known yet: %s", refused)
        while True:
            try:
                await running.consumer.start()
                break
            except StoreError as away:
                log.warning("the inbox cannot be worked on yet: %s", away)
                await asyncio.sleep(RETRY_S)
        await running.sender.start()
        self._working = True

    async def stop(self) -> None:
        """Take nothing in any more, finish what is under way, close every connection."""
        running = self._running
        if running is None:
            return
        self._working = False
        if self._meeting is not None:
            self._meeting.cancel()
            await asyncio.gather(self._meeting, return_exceptions=True)
        # The consumer first: what it took must find everything in place. What still comes in waits in the inbox.
        await running.consumer.stop()
        await running.transport.stop()
        await running.intake.drain()
        self._running = None
        await running.sender.stop()
        if running.oauth is not None:
            await running.oauth.close()
        await running.clients.close()

    async def _build(self) -> _Running:
        parts, settings = self._parts, self._parts.settings
        oauth = await Oauth.open(settings, parts.resolve, parts.store) if settings.oauth else None
        token = None if oauth else parts.resolve(settings.bot_token or "", "slack.bot_token")
        clients = Clients(settings.api_url, token=token, installations=oauth, proxy=settings.proxy)
        directory = Directory(parts.store, clients, parts.people, settings.roles)
        answers = Answers(clients)
        refusals = Refusals(parts.store, "service:slack")
        worker = parts.worker
        consumer = Consumer(
            parts.store,
            self._dispatch,
            self._give_up,
            worker,
            alone=parts.store.embedded,
            flooded=lambda: intake.flooded,
        )
        intake = Intake(
            parts.store, clients, refusals, wake=consumer.wake, open=lambda it: _open(desk, it), tell=answers.tell
        )
        desk = Desk(
            store=parts.store,
            service=parts.service,
            conversations=parts.conversations,
            lifecycle=parts.lifecycle,
            regroup=parts.regroup,
            silences=parts.silences,
            directory=directory,
            index=parts.index,
            host=parts.host,
            inventory=parts.inventory,
            settings=settings,
            clients=clients,
            answers=answers,
            links=parts.look.links,
            keep=intake.keep,
            max_age_days=parts.look.max_age_days,
        )
        bolt = bolt_app.build(clients, intake, self._secret())
        listeners.register(bolt, desk)
        if parts.extension is not None:
            parts.extension.register(bolt, desk)
        sender = Sender(
            parts.store,
            Rendered(replace(parts.look, site=clients.site), parts.extension),
            Calls(clients, Rates(times=parts.times)),
            "slack" if parts.store.embedded else worker,
            pace=Pace().hurried(parts.times),
            office=Office(settings.channel or "", parts.people.slack_users),
        )
        transport = self._transport(bolt, clients, refusals)
        return _Running(clients, directory, intake, consumer, sender, transport, answers, oauth, bolt)

    def _secret(self) -> str:
        ref = self._parts.settings.signing_secret
        return self._parts.resolve(ref, "slack.signing_secret") if ref else NO_SECRET

    def _transport(self, bolt: AsyncApp, clients: Clients, refusals: Refusals) -> Transport:
        if self._parts.settings.mode == "http":
            return Http(bolt, self._secret(), refusals)
        token = self._parts.resolve(self._parts.settings.app_token or "", "slack.app_token")
        return Socket(bolt, token, clients)

    # -- the inbox ----------------------------------------------------------------------------------------------------

    async def _dispatch(self, delivery: Delivery) -> Result:
        running = self._running
        if running is None:
            return Result("failed", "the surface was stopped")
        return await bolt_app.replay(running.bolt, delivery)

    async def _give_up(self, delivery: Delivery, error: str) -> None:
        it, running = edge.parse(delivery.body), self._running
        if it is None or running is None or not it.user:
            return
        said = (
            f"Sysop could not do this ({error}). Nothing more is tried. Try again, or show an operator the reference."
        )
        await running.answers.tell(it, said)

    # -- for the rest of the process ----------------------------------------------------------------------------------

    @property
    def ticks(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """Return the duties of the runner's loop."""
        return (self._tick, self._tidy)

    async def _tick(self) -> None:
        if self._running is not None:
            await self._running.directory.tick()
            await self._running.clients.retest()

    async def _tidy(self) -> None:
        """Forget what was handled a week ago, a little at a time."""
        if self._running is not None and time.monotonic() >= self._tidy_at:
            more = await self._parts.store.write(inbox.forget)
            self._tidy_at = time.monotonic() + (0 if more else TIDY_S)

    def http_app(self) -> Asgi | None:
        """Return the application for `/slack/…` in http mode, None in socket mode."""
        if self._parts.settings.mode != "http":
            return None
        return self._serve

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        running = self._running
        inner = running.transport.app() if running else None
        if running is not None and running.oauth is not None and scope["type"] == "http" and scope["method"] == "GET":
            inner = running.oauth.app(running.clients)
        if inner is None:
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": b"starting or draining"})
            return
        await inner(scope, receive, send)

    async def ready(self) -> bool:
        """Tell whether deliveries can arrive and are worked on."""
        running = self._running
        return (
            running is not None and self._working and running.clients.known.is_set() and await running.transport.ready()
        )

    async def status(self) -> Mapping[str, Any]:
        """Return what the health shows; it holds ids and counts, no secrets."""
        if self._running is None:
            return {"running": False}
        running = self._running
        waiting, telling = await self._parts.store.read(lambda conn: (inbox.counts(conn), outbox.counts(conn)))
        return {
            "running": True,
            "ready": await self.ready(),
            "transport": dict(running.transport.status()),
            "workspaces": list(running.clients.teams),
            "revoked": running.clients.revoked,
            "held_back": running.intake.limited,
            "roles": running.directory.trouble,
            "inbox": waiting,
            "outbox": telling,
            "sender": running.sender.health.as_json(),
        }


def _open(desk: Desk, it: Incoming) -> Awaitable[None] | None:
    return opening.open_modal(desk, it) if opening.wanted(it) else None
