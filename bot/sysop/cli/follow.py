"""Carry a request to its end, or to where a person must decide, and show what happens on the way."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.text import Text
from sqlalchemy import Connection

from sysop.app import App
from sysop.cli import show
from sysop.cli.common import EXIT_NOT_RESOLVED, EXIT_WAITING, again, emit, err, out
from sysop.errors import StoreUnavailable
from sysop.model import Approval, EffectState, Request, Run, RunState
from sysop.store import approvals, effects, mode, runs
from sysop.store.effects import Effect
from sysop.store.mode import Mode
from sysop.store.writer import Tx

POLL_S = 0.1
_LOOK_AGAIN = re.compile(r"#([2-9]|\d\d+)$")  # later looks of a step that waits for a condition
_PEOPLE = ("approval:", "unknown:", "pause")
_MARKS = {
    EffectState.DONE: ("✓", "green"),
    EffectState.FAILED: ("✗", "red"),
    EffectState.UNKNOWN: ("?", "bold red"),
}


@dataclass(frozen=True, slots=True)
class View:
    """A run as its rows say at one moment."""

    now: int
    run: Run
    said: list[tuple[str, str, int]]
    effects: list[Effect]
    approvals: list[Approval]
    mode: Mode

    @property
    def over(self) -> bool:
        """Tell whether the run has ended."""
        return self.run.state in runs.FINAL

    @property
    def waits_for_people(self) -> bool:
        """Tell whether nothing goes on before a person acts."""
        if self.run.state is not RunState.WAITING or (self.run.wake_at is not None and self.run.wake_at <= self.now):
            return False
        return all(reason.startswith(_PEOPLE) for reason in (self.run.waiting_for or "").split())


def look(conn: Connection, run_id: str) -> View:
    """Return what there is to show of a run."""
    run = runs.load(conn, run_id)
    asked = [r.removeprefix("approval:") for r in (run.waiting_for or "").split() if r.startswith("approval:")]
    return View(
        now=Tx(conn).now(),
        run=run,
        said=runs.said(conn, run_id),
        effects=effects.of_run(conn, run_id),
        approvals=[approvals.load(conn, id) for id in asked],
        mode=mode.read(conn),
    )


async def submit(app: App, request: Request, *, wait: bool, as_json: bool) -> int:
    """Queue a request and, unless told not to wait, follow it. Returns the exit code."""
    if not wait:
        await app.store.check()
        run_id = await app.service.submit(request)
        emit({"run": run_id}) if as_json else out().print(run_id)
        if app.store.embedded and app.runner.holder() is None:
            err.print(f"queued; nothing carries it out yet. Start: {again('serve')}", soft_wrap=True)
        return 0
    async with working(app):
        run_id = await app.service.submit(request)
        return await follow(app, run_id, as_json=as_json)


async def follow_run(app: App, run_id: str, *, as_json: bool) -> int:
    """Follow a run that exists, carrying it forward where nobody else does. Returns the exit code."""
    await app.store.check()
    view = await app.store.read(lambda conn: look(conn, run_id))
    if view.over:
        return _end(view, as_json)
    async with working(app):
        return await follow(app, run_id, as_json=as_json)


@asynccontextmanager
async def working(app: App) -> AsyncIterator[None]:
    """Make sure that somebody carries runs forward: a living runner, else this process until the end of the block.

    On PostgreSQL several may, so this process always does.
    """
    if not await _begin(app):
        await app.store.check()
        yield
        return
    try:
        yield
    finally:
        await app.end()


async def _begin(app: App) -> bool:
    if app.runner.holder() is not None:
        return False
    try:
        await app.begin(chat=False)  # this must work while the chat does not
    except StoreUnavailable:
        if app.runner.holder() in (None, os.getpid()):
            raise  # else somebody has become the runner in this moment
        return False
    return True


async def follow(app: App, run_id: str, *, as_json: bool) -> int:
    """Show a run until it ends or waits for a person. Returns the exit code."""
    screen = Screen(quiet=as_json)
    screen.begin(run_id)
    try:
        while True:
            view = await app.store.read(lambda conn: look(conn, run_id))
            screen.show(view)
            if view.over:
                return _end(view, as_json)
            if view.waits_for_people:
                return _waits(app, view, as_json)
            await asyncio.sleep(POLL_S)
    except asyncio.CancelledError:
        err.print(
            f"\nNo longer watching; the run is kept. Go on with: {again('runs', 'follow', run_id)}", soft_wrap=True
        )
        raise


def _end(view: View, as_json: bool) -> int:
    resolved = bool((view.run.conclusion or {}).get("resolved"))
    code = 0 if resolved and view.run.state is RunState.DONE else EXIT_NOT_RESOLVED
    if as_json:
        emit(view_json(view))
    else:
        out().print(show.conclusion_panel(view.run))
    return code


def _waits(app: App, view: View, as_json: bool) -> int:
    if as_json:
        emit(view_json(view))
        return EXIT_WAITING
    console = out()
    for approval in view.approvals:
        console.print(show.approval_card(approval, view.now))
        console.print(deciders(app, approval), soft_wrap=True)
    for reason in (view.run.waiting_for or "").split():
        if reason.startswith("unknown:"):
            call = reason.removeprefix("unknown:")
            resolve = again("runs", "resolve", view.run.id, call, "--done", "--reason", "TEXT")
            console.print(
                f"Nobody can tell whether call {call} happened. Look, then: {resolve} (or --not-done)", soft_wrap=True
            )
        elif reason == "pause":
            why = show.one_line(f"by {view.mode.by}: {view.mode.reason or 'no reason given'}")
            console.print(Text(f"Changes are paused {why}. Then: {again('resume')}"), soft_wrap=True)
    console.print(f"Afterwards: {again('runs', 'follow', view.run.id)}", soft_wrap=True)
    return EXIT_WAITING


def deciders(app: App, approval: Approval) -> Text:
    """Return who can decide on an approval, and how."""
    others = [other for other in app.people.holding(approval.roles) if other not in approval.requesters]
    names = [app.people.called(other) for other in others]
    who = " or ".join(names) or f"somebody with role {' or '.join(approval.roles)}"
    return Text(
        f"To be decided by {who}, never by who asked:\n"
        f"  {again('approve', approval.id)}\n"
        f"  {again('deny', approval.id, '--reason', 'TEXT')}"
    )


def view_json(view: View) -> dict[str, Any]:
    """Return a run with its calls and open approvals, for machines."""
    return {
        **show.run_json(view.run),
        "said": [{"id": id, "text": text, "at": at} for id, text, at in view.said],
        "calls": [
            {
                **asdict(row.outcome()),
                "evidence": row.outcome().evidence,
                "target": row.target,
                "approval": row.approval,
            }
            for row in view.effects
        ],
        "approvals": [show.approval_json(approval) for approval in view.approvals],
    }


@dataclass
class Screen:
    """Prints what is new, once."""

    quiet: bool
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def begin(self, run_id: str) -> None:
        """Say which run this is."""
        if not self.quiet:
            err.print(f"run {run_id}", style="dim")

    def show(self, view: View) -> None:
        """Print words and finished calls that were not printed yet, in the order they came."""
        lines = [(at, ("said", id), _said(text)) for id, text, at in view.said]
        lines += [
            (row.finished_at or view.now, (row.call, row.state), _call(row))
            for row in view.effects
            if row.state in _MARKS and not _LOOK_AGAIN.search(row.call)
        ]
        for _, key, line in sorted(lines, key=lambda line: line[0]):
            if key not in self._seen and not self.quiet:
                out().print(line, soft_wrap=True)
            self._seen.add(key)


def _said(text: str) -> Text:
    return Text(f"· {show.visible(text)}")


def _call(row: Effect) -> Text:
    mark, style = _MARKS[row.state]
    line = Text.assemble((f"{mark} ", style), (show.call_line(row.action, row.args), "dim"))
    if row.state is not EffectState.DONE:
        line.append(f"  {show.one_line(row.error or str(row.state))}", style=style)
    return line
