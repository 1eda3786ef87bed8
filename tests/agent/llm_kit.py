"""Runs with a model: a real HTTP server with a script, a whole Sysop, and lives that can be killed."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bench
import sysop.agent.llm_loop  # noqa: F401  (before a fork: a life then begins quickly)
from lab import Lab, lines
from sysop.app import App
from sysop.model import Actor, Approval, Origin, Outcome, Request, Run
from sysop.store import approvals, effects, runs
from sysop.testing.llm import Answer, Asked, Use

ANN = Actor("person:ann", frozenset({"approver"}), human=True)
BOB = Actor("person:bob", frozenset({"approver"}), human=True)
FINAL = {"done", "failed", "cancelled"}
FREE = {"rules": [{"name": "free", "match": {"target": ["thing:*-free"]}, "then": "allow"}]}
SMALL = 1000  # tokens: with it every test of a crash runs with shortened histories


def llm(url: str, **changes: Any) -> dict[str, Any]:
    return {"model": "test", "base_url": url, "request_seconds": 5, **changes}


def conclude(**finding: Any) -> Answer:
    return Answer(uses=[Use("conclude", {"summary": "that was it", **finding})])


def cite(asked: Asked) -> list[str]:
    """Return the evidence ids of all results in the conversation."""
    return [text.partition("\n")[0].removeprefix("evidence: ") for text in asked.results if "evidence: " in text]


@dataclass
class Desk:
    """An app under test, and what it did."""

    app: App
    folder: Path

    async def ask(self, text: str = "look into it", **request: Any) -> str:
        return await self.app.service.submit(Request(ANN, Origin.ASKED, "test", text, **request))

    async def run(self, run: str) -> Run:
        return await self.app.store.read(lambda conn: runs.load(conn, run))

    async def until(self, run: str, *states: str) -> Run:
        async with asyncio.timeout(30):
            while (now := await self.run(run)).state not in (states or FINAL):
                await asyncio.sleep(0.01)
        return now

    async def end(self, text: str = "look into it", **request: Any) -> Run:
        return await self.until(await self.ask(text, **request))

    async def pending(self) -> list[Approval]:
        found = await self.app.store.read(lambda conn: approvals.listed(conn, pending_only=True))
        return sorted(found, key=lambda approval: approval.call)

    async def decide(self, approval: Approval, approve: bool = True, reason: str = "") -> None:
        click = f"click {approval.id}"
        await self.app.service.decide(approval.id, BOB, approve, reason, delivery=click, digest=approval.digest)

    async def outcomes(self, run: str) -> list[Outcome]:
        return [row.outcome() for row in await self.app.store.read(lambda conn: effects.of_run(conn, run))]

    async def usage(self, run: str) -> Mapping[str, Any]:
        return (await self.app.store.read(lambda conn: runs.history(conn, run)))[2]

    async def said(self, run: str) -> list[str]:
        return [text for _, text, _ in await self.app.store.read(lambda conn: runs.said(conn, run))]

    @property
    def effects(self) -> list[str]:
        return lines(self.folder / "effects")


@asynccontextmanager
async def desk(folder: Path, url: str, model: str, **changes: Any) -> Any:
    """Build a Sysop that works until the block ends."""
    limits = changes.pop("limits", {})
    app = bench.build(folder, url, llm=llm(model, **limits), policy=changes.pop("policy", FREE), **changes)
    await app.begin()
    try:
        yield Desk(app, folder)
    finally:
        await app.end()
        await app.close()


@asynccontextmanager
async def idle(folder: Path, url: str) -> Any:
    """Build a Sysop that only reads and writes rows, as the command line does."""
    app = bench.build(folder, url, llm=llm("http://127.0.0.1:9/v1"), policy=FREE)
    try:
        yield Desk(app, folder)
    finally:
        await app.close()


@dataclass(frozen=True)
class Life:
    """A process that advances runs until all are over or wait. It kills itself at the n-th probe named `at`."""

    folder: Path
    url: str
    model: str
    at: str = ""
    nth: int = 1
    limits: Mapping[str, Any] = field(default_factory=lambda: {"history_tokens": SMALL})

    def live(self) -> bool:
        """Fork, wait, and tell whether it was killed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # 3.12: the model server's thread only waits here
            process = multiprocessing.get_context("fork").Process(target=lambda: asyncio.run(self._live()))
            process.start()
        process.join(40)
        if process.is_alive():
            process.kill()
            raise AssertionError("a life did not end")
        assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
        return process.exitcode == -signal.SIGKILL

    async def _live(self) -> None:
        fuse = Fuse(self.at, self.nth)
        settings = llm(self.model, **self.limits)
        app = bench.build(self.folder, self.url, lab=Lab(fuse), probe=fuse, llm=settings, policy=FREE)
        watch(app, fuse)
        await app.begin()
        async with asyncio.timeout(30):
            while not await self._over(app):
                await asyncio.sleep(0.01)
        await app.end()
        await app.close()

    async def _over(self, app: App) -> bool:
        found = await app.store.read(lambda conn: runs.newest(conn))
        return all(run.state in FINAL or _only_people(run.waiting_for) for run in found)


def _only_people(waiting_for: str | None) -> bool:
    return bool(waiting_for) and all(reason.startswith(("approval:", "unknown:")) for reason in waiting_for.split())


@dataclass
class Fuse:
    """Kills its own process at the n-th probe of a name; the name `any` counts all of them."""

    at: str
    left: int

    def __call__(self, point: str) -> None:
        if self.at and self.at in (point, "any"):
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def watch(app: App, probe: Callable[[str], None]) -> None:
    """Call a probe around every transaction that stores a conversation."""
    write = app.store.write

    async def watched(unit: Any) -> Any:
        saves = "save_history" in getattr(unit, "__qualname__", "")
        if saves:
            probe("save.before")
        result = await write(unit)
        if saves:
            probe("save.after")
        return result

    app.store.write = watched  # type: ignore[method-assign]
