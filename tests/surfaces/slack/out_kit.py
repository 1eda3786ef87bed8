"""A sender against a workspace: rows go in, messages come out, and the workspace counts them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from sqlalchemy import Connection, select

from sysop.store import conversations, members, outbox
from sysop.store import tables as t
from sysop.store.conversations import Conversation
from sysop.store.store import Store
from sysop.surfaces.slack.blocks import plan as plans
from sysop.surfaces.slack.blocks.plan import PlanDocument
from sysop.surfaces.slack.blocks.shown import Shown
from sysop.surfaces.slack.clients import Clients
from sysop.surfaces.slack.outbox.absence import Office
from sysop.surfaces.slack.outbox.calls import Calls
from sysop.surfaces.slack.outbox.duty import Duty
from sysop.surfaces.slack.outbox.rates import Rates
from sysop.surfaces.slack.outbox.sender import Sender
from sysop.surfaces.slack.outbox.sending import Document, Pace, Renderer
from sysop.workspace import AppManifest, Clock, Ids, Workspace, WorkspaceSettings

__all__ = ["Duty", "asyncio", "outbox", "replace"]

FAST = 20.0
"""So many seconds of Slack's limits pass in one of ours."""
PACE = Pace(
    lease_ms=15_000,
    doubt_ms=150,
    retry_ms=20,
    longest_ms=300,
    update_ms=60,
    append_ms=20,
    append_each_ms=10,
    token_ms=150,
    round_ms=5,
    drain_s=5.0,
)
SCOPES = [
    *("assistant:write", "channels:history", "chat:write", "files:write", "groups:history", "im:history", "im:write"),
    *("reactions:write", "users:read", "files:read"),
]
MANIFEST: dict[str, Any] = {
    "display_information": {"name": "Sysop"},
    "features": {
        "agent_view": {"agent_description": "Repairs things.", "suggested_prompts": []},
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
        "bot_user": {"display_name": "Sysop"},
    },
    "oauth_config": {"scopes": {"bot": SCOPES}},
    "settings": {
        "event_subscriptions": {"bot_events": ["agent_session_stopped"]},
        "interactivity": {"is_enabled": True},
        "socket_mode_enabled": True,
    },
}


def fast_rates(scale: float = FAST) -> Rates:
    """Return budgets on a clock that runs as fast as the workspace's."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / scale)

    return Rates(lambda: time.monotonic() * scale, sleep)


@asynccontextmanager
async def workspace(channels: tuple[str, ...] = ("incidents", "general"), scale: float = FAST) -> AsyncIterator[Place]:
    """Start a workspace whose limits are Slack's on a fast clock."""
    settings = WorkspaceSettings(
        app=AppManifest.parse(MANIFEST), channels=channels, clock=Clock(scale=scale), ids=Ids(seed="outbox")
    )
    async with Workspace(settings) as started, aiohttp.ClientSession() as http:
        yield Place(started, http)


@dataclass
class Place:
    """A workspace and its control API."""

    workspace: Workspace
    http: aiohttp.ClientSession

    @property
    def team(self) -> str:
        return self.workspace.team_id

    def channel(self, name: str = "general") -> str:
        return self.workspace.channels[name]

    def user(self, name: str = "requester") -> str:
        return self.workspace.users[name]

    async def do(self, act: str, **body: Any) -> dict[str, Any]:
        """Do something that must work."""
        url, head = f"{self.workspace.url}/_control/{act}", {"X-Workspace-Token": self.workspace.control_token}
        async with self.http.post(url, json=body, headers=head) as answer:
            found: dict[str, Any] = await answer.json()
            assert found["ok"], found
            return found

    async def see(self, path: str, **query: str) -> dict[str, Any]:
        """Look at something."""
        url, head = f"{self.workspace.url}/_control/{path}", {"X-Workspace-Token": self.workspace.control_token}
        async with self.http.get(url, params=query, headers=head) as answer:
            found: dict[str, Any] = await answer.json()
            assert found["ok"], found
            return found

    async def fault(self, method: str, kind: str, times: int = 1, **more: Any) -> None:
        """Let the next calls of a method fail."""
        await self.do("faults", method=method, kind=kind, times=times, **more)

    async def messages(
        self, channel: str = "general", thread: str = "", user: str = "requester"
    ) -> list[dict[str, Any]]:
        """Return what somebody sees."""
        query = {"user": user, **({"thread": thread} if thread else {})}
        return list((await self.see(f"messages/{self.channel(channel)}", **query))["messages"])

    async def calls(self, method: str = "", *, ok: bool | None = None) -> list[dict[str, Any]]:
        """Return the calls of a method in order; `ok` only those that did or did not work."""
        entries = (await self.see("log"))["entries"]
        mine = [one for one in entries if one["kind"] == "api" and method in ("", one["method"])]
        return [one for one in mine if ok is None or one["answer"]["ok"] is ok]

    async def count(self) -> Counter[str]:
        """Count the calls by method."""
        return Counter(one["method"] for one in await self.calls())

    def clients(self) -> Clients:
        """Return clients as the surface builds them."""
        return Clients(self.workspace.api_url, token=self.workspace.bot_token, installations=None)


@dataclass
class Pages:
    """Documents of tests by key: a renderer that reads what the test wrote."""

    documents: dict[str, Document] = field(default_factory=dict)
    homes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    rendered: Counter[str] = field(default_factory=Counter)

    def document(self, conn: Connection, key: str, now: int) -> Document | None:
        self.rendered[key] += 1
        return self.documents.get(key)

    def home(self, conn: Connection, key: str, now: int) -> Mapping[str, Any] | None:
        return self.homes.get(key)

    def fallback(self, plan: PlanDocument) -> Shown:
        return plans.fallback(plan)


def words(text: str) -> Shown:
    """Return a message of one section."""
    return Shown(text, [{"type": "section", "text": {"type": "mrkdwn", "text": text}}])


def rich(text: str, times: int = 1) -> Shown:
    """Return a message of rich text."""
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return Shown(text, [{"type": "rich_text", "elements": [section]}] * times)


@dataclass
class Out:
    """A store, a workspace, a sender between them."""

    store: Store
    place: Place
    pages: Pages
    clients: Clients
    sender: Sender

    async def talk(self, channel: str = "general", *, root: str | None = None, owner: str = "") -> Conversation:
        """Begin a conversation."""
        made = {"surface": "slack", "team": self.place.team, "channel": self.place.channel(channel), "root": root}
        return await self.store.write(lambda tx: conversations.create(tx, **made, owner=owner, title="A talk"))

    async def begun(self, channel: str = "general") -> Conversation:
        """Begin a conversation whose first message stands."""
        talk = await self.talk(channel)
        await self.say(talk, "root")
        await self.quiet()
        return await self.store.read(lambda conn: conversations.load(conn, talk.id))

    async def say(self, talk: Conversation, text: str) -> int:
        """Say something once."""
        return await self.store.write(lambda tx: outbox.post(tx, talk, {"text": text, "blocks": words(text).blocks}))

    async def show(self, talk: Conversation, key: str, document: Document) -> None:
        """Change what a message shows, and mark it in the same moment."""

        def unit(tx: Any) -> None:
            self.pages.documents[key] = document
            outbox.mark(tx, talk, key)

        await self.store.write(unit)

    async def message(self, key: str) -> outbox.Message | None:
        return await self.store.read(lambda conn: outbox.message(conn, key))

    async def quiet(self, seconds: float = 20.0) -> None:
        """Wait until nothing is left to send."""
        await until(self._nothing_open, "the outbox is empty", seconds)

    async def _nothing_open(self) -> bool:
        counts = await self.store.read(outbox.counts)
        return not any(counts.get(state) for state in outbox.OPEN)

    async def state(self, id: int) -> outbox.Item:
        found = await self.store.read(lambda conn: outbox.load(conn, id))
        assert found is not None
        return found

    async def thread(self, talk: Conversation, channel: str = "general") -> list[dict[str, Any]]:
        """Return the messages of a conversation, the root first."""
        now = await self.store.read(lambda conn: conversations.load(conn, talk.id))
        assert now.root is not None
        return await self.place.messages(channel, thread=now.root)

    async def texts(self, talk: Conversation, channel: str = "general") -> list[str]:
        return [one["text"] for one in await self.thread(talk, channel)]


async def until(holds: Callable[[], Any], what: str, seconds: float = 20.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < end, f"not so after {seconds} s: {what}"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def sending(
    store: Store,
    place: Place,
    *,
    pace: Pace = PACE,
    rates: Rates | None = None,
    worker: str = "w1",
    pages: Renderer | None = None,
    timeout: float | None = None,
    office: Office | None = None,
) -> AsyncIterator[Out]:
    """Run a sender. `timeout` is how long it waits for an answer, where that is not as long as always."""
    clients, own = place.clients(), Pages()
    if timeout is not None:
        clients.http._timeout = aiohttp.ClientTimeout(total=timeout)
    await clients.meet()
    sender = Sender(store, pages or own, Calls(clients, rates or fast_rates()), worker, pace=pace, office=office)
    await sender.start()
    try:
        yield Out(store, place, own, clients, sender)
    finally:
        await sender.stop()
        await clients.close()


def task(id: str, status: str = "in_progress", **more: Any) -> plans.TaskEntry:
    return plans.TaskEntry(id, f"do {id}", status, **more)  # type: ignore[arg-type]


def a_plan(place: Place, *entries: plans.TaskEntry, **more: Any) -> PlanDocument:
    """Return a plan that is streamed to the requester."""
    made = PlanDocument("Looking", entries, recipient=(place.team, place.user()))
    return replace(made, **more)


def member(tx: Any, id: str) -> None:
    members.save(tx, id, actor=id, name="Requester", human=True, roles=())


def audit_kinds(conn: Connection) -> set[str]:
    return set(conn.scalars(select(t.audit.c.kind)))


async def has(out: Out, talk: Conversation) -> bool:
    """Tell whether a conversation has begun."""
    return (await out.store.read(lambda conn: conversations.load(conn, talk.id))).root is not None
