"""`sysop runs` and `sysop cancel`: what was and is being done."""

from __future__ import annotations

import click

from sysop.app import App
from sysop.cli import Group, follow, show
from sysop.cli.common import command, emit, json_option, listed, me, opened, out
from sysop.model import Run
from sysop.store import runs as rows


@click.group(cls=Group, invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, newest first.")
@json_option
@command
async def runs(limit: int, as_json: bool) -> None:
    """List runs, show one step by step, settle an unknown effect."""
    if click.get_current_context().invoked_subcommand is not None:
        return
    async with opened(check=False) as app:
        found = await listed(app, lambda conn: rows.newest(conn, limit))
    if as_json:
        emit([show.run_json(run) for run in found])
        return
    if not found:
        out().print("no runs yet; ask something with: sysop ask TEXT")
        return
    lines = (
        (
            run.id,
            show.when(run.created_at),
            show.state(run.state),
            run.planner,
            show.askers(run.requesters),
            show.one_line(run.text or run.incident or str(run.request.get("action") or ""), 60),
            show.one_line(str((run.conclusion or {}).get("summary") or waits_for(run)), 80),
        )
        for run in found
    )
    columns = ("id", "at (UTC)", "state", "planner", "asked by", "about", "so far")
    out().print(show.table(*columns, rows=lines, drop=("planner", "asked by", "at (UTC)")))


def waits_for(run: Run) -> str:
    """Return what a run waits for, without what would only wake its post-check sooner: that has no name for people."""
    return " ".join(reason for reason in (run.waiting_for or "").split() if not reason.startswith("news:"))


@runs.command("show")
@click.argument("run")
@json_option
@command
async def show_run(run: str, as_json: bool) -> None:
    """Show a run: what was asked, every call with its result, how it ended."""
    async with opened() as app:
        view = await app.store.read(lambda conn: follow.look(conn, run))
        if as_json:
            emit(follow.view_json(view))
        else:
            _print(app, view)


def _print(app: App, view: follow.View) -> None:
    console, run = out(), view.run
    asked = run.text or run.incident or str(run.request.get("action") or "")
    head = f"{run.id}  {run.origin} by {show.askers(run.requesters)} at {show.when(run.created_at)} UTC  {run.planner}"
    console.print(head, style="bold", markup=False, soft_wrap=True)
    console.print(show.visible(asked), markup=False, soft_wrap=True)
    for _id, text, at in view.said:
        console.print(f"  {show.when(at)}  {show.visible(text)}", markup=False, soft_wrap=True)
    console.print(show.steps(row.outcome() for row in view.effects) if view.effects else "no calls yet")
    if view.over:
        console.print(show.conclusion_panel(run))
        return
    waits = f", waiting for {reasons}" if (reasons := waits_for(run)) else ""
    console.print(f"{run.state}{waits}", markup=False, style="yellow")
    for approval in view.approvals:
        console.print(show.approval_card(approval, view.now))
        console.print(follow.deciders(app, approval), soft_wrap=True)


@runs.command("follow")
@click.argument("run")
@json_option
@command
async def follow_run(run: str, as_json: bool) -> int:
    """Watch a run until it ends or waits for a person; carry it forward if no other process does.

    Exit codes as for `sysop ask`.
    """
    async with opened() as app:
        return await follow.follow_run(app, run, as_json=as_json)


@runs.command("resolve")
@click.argument("run")
@click.argument("call")
@click.option("--done", "happened", flag_value="done", help="The effect happened.")
@click.option("--not-done", "happened", flag_value="not done", help="The effect did not happen.")
@click.option("--reason", required=True, metavar="TEXT", help="How you know; kept in the audit log.")
@command
async def resolve_call(run: str, call: str, happened: str | None, reason: str) -> None:
    """Say, having looked, whether an effect that nobody can tell of happened. The run goes on with that."""
    if happened is None:
        raise click.UsageError("say what you found: --done or --not-done")
    async with opened() as app:
        await app.service.resolve(run, call, me(app), happened == "done", reason)
        out().print(f"call {call} of {run}: {happened}", markup=False)


@click.command()
@click.argument("run")
@click.option("--reason", default="", metavar="TEXT", help="Why; told to who asked.")
@command
async def cancel(run: str, reason: str) -> None:
    """Stop a run: at once if it waits, else at its next step. An effect under way is never killed midway."""
    async with opened() as app:
        out().print(f"{run}: {await app.service.cancel(run, me(app), reason)}", markup=False)
