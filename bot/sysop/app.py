"""The composition root: builds everything from the settings and hands each part what it needs. Nothing is global."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from starlette.applications import Starlette

from sysop import alerting, shelf
from sysop import host as plugin_host
from sysop.agent.direct_planner import DirectPlanner
from sysop.agent.llm_planner import LlmPlanner
from sysop.agent.prompts import runbooks as pages
from sysop.agent.question import Unanswered
from sysop.agent.runbook_planner import RunbookPlanner
from sysop.alerting import Alerting
from sysop.changes.feed import Feed, Place
from sysop.chat import Chat, Extension, compose, look, projector
from sysop.conversations import Conversations
from sysop.errors import InvalidRequest, SettingsError
from sysop.extension import AlertSource, Planner, PluginContext
from sysop.gate.context import Contexts
from sysop.gate.desk import Probe
from sysop.gate.gate import Gate
from sysop.gate.http import HttpClient
from sysop.gate.people import People
from sysop.gate.policy import Policy
from sysop.host import Host
from sysop.incidents.lifecycle import Lifecycle
from sysop.incidents.placing import Placing
from sysop.incidents.regroup import Regroup
from sysop.incidents.silences import Silences
from sysop.inventory import nearest
from sysop.knowledge.index import Index
from sysop.knowledge.memory.notebook import Notebook
from sysop.model import Request, new_id
from sysop.paths import private_file, private_folder
from sysop.runner.advance import Advance
from sysop.runner.local import LocalRunner
from sysop.sections import Person
from sysop.service import Service
from sysop.settings import Secrets, Settings
from sysop.store import schema
from sysop.store.engine import sqlite_file
from sysop.store.store import Store
from sysop.surfaces.backlog import Backlog
from sysop.surfaces.webhooks import Door, Webhooks

log = logging.getLogger(__name__)


def _no_probe(_point: str) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class App:
    """Every part of one process. Close it."""

    settings: Settings
    store: Store
    host: Host
    secrets: Secrets
    http: HttpClient
    policy: Policy
    people: People
    contexts: Contexts
    gate: Gate
    service: Service
    alerting: Alerting
    feed: Feed
    knowledge: shelf.Knowledge
    planners: Planners
    conversations: Conversations
    runner: LocalRunner
    chat: Chat
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lifecycle(self) -> Lifecycle:
        """Return what takes alerts in and moves incidents on."""
        return self.alerting.lifecycle

    @property
    def index(self) -> Index:
        """Return what finds runbooks and pages."""
        return self.knowledge.index

    @property
    def placing(self) -> Placing:
        """Return the duty of placing alerts."""
        return self.alerting.placing

    @property
    def regroup(self) -> Regroup:
        """Return what merges, splits and moves by hand."""
        return self.alerting.regroup

    @property
    def silences(self) -> Silences:
        """Return what silences alerts."""
        return self.alerting.silences

    async def begin(self, *, chat: bool = True) -> None:
        """Become the runner: take the lock, bring the embedded database up to date, start the plugins, go to work.

        A lock that was taken before, by `runner.take`, is kept; if this fails, it is let go of all the same. Without
        `chat` nothing is taken in from there, and what it must be told waits for a process that tells it.
        """
        self.runner.take()
        try:
            self.alerting.check()
            if self.store.embedded:
                private_file(sqlite_file(self.store.url))
                schema.ensure(self.store.url)
            await self.store.check()
            _make_state(self.settings)
            await self.knowledge.duty.begin()
            self.host.start(self.contexts.for_plugin)
            if chat:  # first, so that it is known who may approve before a run asks
                await self.chat.start()
            await self.runner.start()
        except BaseException:
            await self.chat.stop()
            await self.runner.stop()
            await self.knowledge.duty.stop()
            await self.runner.release()
            raise

    async def end(self, hurry: asyncio.Event | None = None) -> None:
        """Drain, until `hurry` at the latest, and let go of everything `begin` took."""
        await self.runner.stop(hurry)
        await self.chat.stop(hurry)  # after the runs, so that it still tells what they came to
        await self.alerting.stop()
        await self.knowledge.duty.stop()
        self.host.stop(self.contexts.for_plugin)
        await self.runner.release()

    @property
    def sources(self) -> dict[str, AlertSource]:
        """Return what takes deliveries at `/webhooks/NAME`, by name."""
        door = self.knowledge.door
        return {**self.host.alert_sources(), **({door.name: door} if door else {})}

    def webhooks(self) -> Starlette:
        """Return the HTTP application: alerts in, and the health of this process."""
        sources = self.sources
        tokens = self.settings.webhooks.tokens
        for name in tokens:
            if name not in sources:
                raise SettingsError(f"webhooks.tokens.{name}: there is no such source{nearest(name, sources)}")
        resolved = {name: self.secrets.resolve(ref, f"webhooks.tokens.{name}") for name, ref in tokens.items()}
        doors = {name: Door(sources[name], token, self._context_of(sources[name])) for name, token in resolved.items()}
        bounds = self.settings.webhooks
        backlog = Backlog(bounds.max_waiting, bounds.max_waiting_bytes)
        more = {"/slack/{rest:path}": self.chat} if self.settings.slack.mode == "http" else {}
        return Webhooks(
            self.store,
            self.lifecycle,
            self.feed.delivered,
            doors,
            bounds.max_body_bytes,
            backlog,
            self.ready.is_set,
            more,
        ).app()

    def _context_of(self, source: AlertSource) -> Callable[[], PluginContext]:
        if not source.plugin:  # one of our own, which asks for none
            return self._no_context
        return partial(self.contexts.for_plugin, self.host.plugins[source.plugin])

    def _no_context(self) -> PluginContext:
        raise SettingsError("this source has no plugin")

    def set_ready(self, ready: bool) -> None:
        """Say whether this process takes work, for `/readyz`."""
        if ready:
            self.ready.set()
        else:
            self.ready.clear()

    async def close(self) -> None:
        """Close connections."""
        await self.planners.close()
        await asyncio.to_thread(self.knowledge.upkeep.close)
        await self.http.close()
        await self.store.close()


class Planners:
    """Planners by name, built when first used; `auto` is the LLM where one is configured, else the runbooks."""

    def __init__(self, default: str, build: Mapping[str, Callable[[], Planner]]) -> None:
        self._default = default
        self._build = dict(build)
        self._built: dict[str, Planner] = {}

    def __call__(self, name: str) -> Planner:
        """Return a planner. Raises InvalidRequest for an unknown name."""
        if name not in self._built:
            self._check(name)
            self._built[name] = self._build[name]()
        return self._built[name]

    def add(self, name: str, build: Callable[[], Planner]) -> None:
        """Offer one more planner."""
        self._build[name] = build

    async def close(self) -> None:
        """Close what the planners opened."""
        for planner in self._built.values():
            if isinstance(planner, LlmPlanner):
                await planner.close()

    def prefer(self, name: str) -> None:
        """Let a planner work on every request that names none."""
        self._check(name)
        self._default = name

    def name_for(self, request: Request) -> str:
        """Return which planner works on a request."""
        name = request.planner or ("direct" if request.action else self._default)
        self._check(name)
        return name

    def _check(self, name: str) -> None:
        if name not in self._build:
            raise InvalidRequest(f"there is no planner {name!r}; known: {', '.join(sorted(self._build))}")


def build(
    settings: Settings,
    *,
    people: Callable[[], Mapping[str, Person]] | None = None,
    probe: Probe = _no_probe,
    store: Store | None = None,
    host: Host | None = None,
    extension: Extension | None = None,
    times: float = 1.0,
) -> App:
    """Build all parts; nothing is read or started yet. `people` reads them again later, for roles that change.

    `extension` adds to what stands in the chat; `times` is how much faster than Slack's the clock of a stand-in runs.
    """
    store = store or Store.open(settings.database_url)
    host = host or load_plugins(settings)
    store.observe([host.observe])
    secrets, http = Secrets(settings.secrets), HttpClient(settings.egress.ca_file)
    contexts = Contexts(settings, host, secrets, http)
    known = People(people or (lambda: settings.people), store if settings.slack.on else None)
    policy = Policy(settings.policy)
    gate = Gate(store, host, policy, known, contexts, settings.budgets, probe)
    knowledge = shelf.build(settings, host, contexts.inventory, secrets.resolve)
    index = knowledge.index
    planners = _planners(settings, host, index, contexts, secrets, Notebook(store).unanswered)
    service = Service(store, known, planners.name_for)
    worker = f"{socket.gethostname()}:{os.getpid()}:{new_id('w')}"
    alerts = alerting.build(settings, store, host, contexts, planners.name_for, worker)
    feed = _feed(store, host, contexts, worker)
    advance = Advance(store, gate, host, contexts.inventory, planners, worker, probe)
    talks = Conversations(store, known, planners.name_for)
    shown = look(
        settings.slack,
        host,
        inventory=contexts.inventory,
        index=index,
        holding=known.holding,
        max_age_days=settings.knowledge.max_age_days,
    )
    if settings.slack.on:
        store.project(projector(settings.slack, shown))
    chat = compose(
        settings.slack,
        resolve=secrets.resolve,
        store=store,
        service=service,
        conversations=talks,
        lifecycle=alerts.lifecycle,
        regroup=alerts.regroup,
        silences=alerts.silences,
        people=known,
        host=host,
        index=index,
        inventory=contexts.inventory,
        look=shown,
        worker=worker,
        extension=extension,
        times=times,
    )
    ticks = [*alerts.ticks, feed.tick, talks.tick, chat.tick]
    runner = LocalRunner(store, advance, worker, concurrency=settings.runner.concurrency, ticks=ticks)
    return App(
        settings=settings,
        store=store,
        host=host,
        secrets=secrets,
        http=http,
        policy=policy,
        people=known,
        contexts=contexts,
        gate=gate,
        service=service,
        alerting=alerts,
        feed=feed,
        knowledge=knowledge,
        planners=planners,
        conversations=talks,
        runner=runner,
        chat=chat,
    )


def _feed(store: Store, host: Host, contexts: Contexts, worker: str) -> Feed:
    places = [
        Place(source, partial(contexts.for_plugin, host.plugins[source.plugin])) for source in host.change_sources()
    ]
    return Feed(store, places, lambda name: contexts.secrets.get(name, "read"), worker)


def _make_state(settings: Settings) -> None:
    """Make the state folder, where it can be: beside a database elsewhere Sysop also works without one."""
    try:
        private_folder(settings.state)
    except OSError as bad:
        log.warning("the state folder %s cannot be made: %s", settings.state, bad.strerror)


def load_plugins(settings: Settings) -> Host:
    """Load every plugin with its section of the settings."""
    if settings.plugins_dir and not settings.plugins_dir.is_dir():
        raise SettingsError(f"plugins_dir: {settings.plugins_dir} is not a folder")
    return plugin_host.load(settings.plugins, folder=settings.plugins_dir, required=settings.required_plugins)


def _planners(
    settings: Settings, host: Host, index: Index, contexts: Contexts, secrets: Secrets, unanswered: Unanswered
) -> Planners:
    days = settings.knowledge.max_age_days

    def runbook() -> Planner:
        return RunbookPlanner(index, host.actions, contexts.inventory, days, unanswered)

    build: dict[str, Callable[[], Planner]] = {"direct": DirectPlanner, "runbook": runbook}
    build.update({name: factory.build for name, factory in host.planners().items()})
    llm, default = settings.llm, settings.runner.planner
    if llm.model is not None:

        def key() -> str | None:
            return secrets.resolve(llm.key, "llm.key") if llm.key else None

        thinker = LlmPlanner(llm, key, runbook(), pages.finder(index, contexts.inventory, days), unanswered)
        build["llm"] = lambda: thinker
    automatic = "llm" if llm.model is not None else "runbook"
    return Planners(automatic if default == "auto" else default, build)
