"""`sysop approve`, `deny`, `revoke`, `approvals`: what people decide. Who decides is who the kernel says it is."""

from __future__ import annotations

import os
import re
import secrets
import sys

import click

from sysop.app import App
from sysop.cli import show
from sysop.cli.common import (
    EXIT_NOT_RESOLVED,
    again,
    command,
    emit,
    json_option,
    lines_to_add,
    listed,
    me,
    opened,
    out,
)
from sysop.cli.follow import deciders
from sysop.gate.approvals import Counted
from sysop.model import Approval, ApprovalState
from sysop.store import approvals as rows

reason_option = click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit log.")


@click.command()
@click.argument("id")
@reason_option
@click.option("--digest", metavar="HEX", help="What you approve, 8 or more characters of the card's digest.")
@command
async def approve(id: str, reason: str, digest: str | None) -> int:
    """Approve a change that waits, after a look at everything it is bound to.

    Who approves is the operating-system user, as `people:` in the settings maps it; nothing else can say so. Without a
    terminal, `--digest` says what is approved.
    """
    async with opened() as app:
        approval = await _load(app, id)
        out().print(show.approval_card(approval, await app.store.now()))
        if me(app).human and approval.state is ApprovalState.PENDING:
            _confirm(approval, digest)
        counted = await _decide(app, approval, True, reason)
        _report(app, approval, counted)
        return 0 if counted.counted else EXIT_NOT_RESOLVED


@click.command()
@click.argument("id")
@click.option("--reason", required=True, metavar="TEXT", help="Why; told to who asked, kept in the audit log.")
@command
async def deny(id: str, reason: str) -> int:
    """Deny a change that waits. One denial is enough."""
    async with opened() as app:
        approval = await _load(app, id)
        counted = await _decide(app, approval, False, reason)
        _report(app, approval, counted)
        return 0 if counted.counted else EXIT_NOT_RESOLVED


@click.command()
@click.argument("id")
@reason_option
@command
async def revoke(id: str, reason: str) -> int:
    """Take an approval back before it is used: who asked may, and whoever may approve it."""
    async with opened() as app:
        counted = await app.service.revoke(id, me(app), reason)
        out().print(f"{id}: {show.visible(counted.message)}", markup=False)
        return 0 if counted.counted else EXIT_NOT_RESOLVED


@click.command()
@click.argument("id", required=False)
@click.option("--all", "everything", is_flag=True, help="Decided ones too, not only those that wait.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many, newest first.")
@json_option
@command
async def approvals(id: str | None, everything: bool, limit: int, as_json: bool) -> None:
    """List approvals that wait, or show one in full."""
    async with opened(check=False) as app:
        if id is None:
            await _list(app, everything, limit, as_json)
            return
        await app.store.check()
        approval = await _load(app, id)
        if as_json:
            emit(show.approval_json(approval))
            return
        out().print(show.approval_card(approval, await app.store.now()))
        if approval.state is ApprovalState.PENDING:
            out().print(deciders(app, approval), soft_wrap=True)


async def _list(app: App, everything: bool, limit: int, as_json: bool) -> None:
    found = await listed(app, lambda conn: rows.listed(conn, pending_only=not everything, limit=limit))
    if as_json:
        emit([show.approval_json(approval) for approval in found])
        return
    if not found:
        out().print("no approvals yet" if everything else "nothing waits for an approval")
        return
    now = await app.store.now()
    lines = (
        (
            a.id,
            show.call_line(a.action, a.args),
            show.risk(a.risk),
            f"{a.target} in {a.environment}",
            show.askers(a.requesters),
            show.state(a.state),
            show.deadline(a, now),
        )
        for a in found
    )
    columns = ("id", "call", "risk", "target", "asked by", "state", "since")
    out().print(show.table(*columns, rows=lines, drop=("state", "asked by", "risk", "target")))


async def _load(app: App, id: str) -> Approval:
    return await app.store.read(lambda conn: rows.load(conn, id))


def _confirm(approval: Approval, digest: str | None) -> None:
    """Make sure that a person means exactly this: typed at a terminal, or stated by its digest."""
    if digest is not None and not (re.fullmatch(r"[0-9a-f]{8,64}", digest) and approval.digest.startswith(digest)):
        raise click.BadParameter(
            f"{digest!r} is not 8 or more characters of this approval's digest", param_hint="--digest"
        )
    if sys.stdin.isatty():
        click.confirm(f"Approve exactly this, as user {os.getuid()}?", abort=True)
    elif digest is None:
        hint = again("approve", approval.id, "--digest", approval.digest[:12])
        raise click.UsageError(f"there is no terminal here; say what you approve: {hint}")


async def _decide(app: App, approval: Approval, yes: bool, reason: str) -> Counted:
    """Hand the vote in, also one that cannot count: the attempt belongs into the audit log."""
    delivery = f"cli:{secrets.token_hex(16)}"
    return await app.service.decide(
        approval.id, me(app), yes, reason, delivery=delivery, digest=approval.digest if yes else None
    )


def _report(app: App, approval: Approval, counted: Counted) -> None:
    console = out()
    word = "" if counted.counted else "not counted: "
    console.print(f"{approval.id}: {word}{show.visible(counted.message)}", markup=False)
    if not counted.counted and not me(app).human:
        console.print(
            f"Who you are is not in the settings. To be known, add:\n{lines_to_add(approval.roles)}", markup=False
        )
    elif counted.state is ApprovalState.APPROVED:
        console.print(executor(app, approval.run), markup=False, soft_wrap=True)
    elif counted.counted and counted.state is ApprovalState.PENDING:
        console.print("It waits for more people.")


def executor(app: App, run: str) -> str:
    """Return what will carry a run forward now."""
    if not app.store.embedded:
        return f"Any running sysop serve carries it out; or here: {again('runs', 'follow', run)}"
    holder = app.runner.holder()
    if holder is None:
        return f"Nothing is running. Carry it out with: {again('serve')}  or only this: {again('runs', 'follow', run)}"
    return f"Process {holder} carries it out. Watch: {again('runs', 'follow', run)}"
