"""`sysop runbooks`: the pages people read and Sysop follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.markdown import Markdown
from rich.text import Text

from sysop.app import App
from sysop.cli import Group, follow, show
from sysop.cli.ask import no_wait
from sysop.cli.common import EXIT_NOT_RESOLVED, command, emit, err, json_option, me, opened, out, pairs
from sysop.cli.library import Opened, books, library, tell
from sysop.cli.runbooks_eval import evaluate_runbooks
from sysop.cli.runbooks_index import index, status
from sysop.cli.runbooks_new import new
from sysop.cli.runbooks_questions import answered, dismiss, questions
from sysop.cli.sections_view import sections, sections_json
from sysop.errors import RunbookError
from sysop.knowledge.index import Index
from sysop.knowledge.lint import Finding, lint, lint_text, together
from sysop.knowledge.retrieval.view import Filters
from sysop.knowledge.runbook import Runbook, Step
from sysop.model import Origin, Request
from sysop.shelf import runbook_folders


@click.group(cls=Group, invoke_without_command=True)
@json_option
@command
async def runbooks(as_json: bool) -> None:
    """List, show, lint, search and follow runbooks."""
    if click.get_current_context().invoked_subcommand is None:
        with library() as opened:
            _list(opened.index, as_json)


@runbooks.command("list")
@json_option
@command
async def list_runbooks(as_json: bool) -> None:
    """List all runbooks, broken ones with the reason."""
    with library() as opened:
        _list(opened.index, as_json)


def _list(index: Index, as_json: bool) -> None:
    if as_json:
        unused = [{"path": b.path, "reason": b.reason} for b in index.broken]
        emit({"runbooks": [_json(book) for book in books(index)], "broken": unused})
        return
    lines = (
        (
            book.path,
            book.title,
            ", ".join(book.alerts),
            ", ".join(book.services),
            str(len(book.steps)),
            book.owner,
            str(book.reviewed or "never"),
        )
        for book in books(index)
    )
    columns = ("runbook", "title", "alerts", "services", "steps", "owner", "reviewed")
    drop = ("services", "owner", "steps", "reviewed", "alerts")
    out().print(show.table(*columns, rows=lines, whole=("runbook", "reviewed"), drop=drop))
    tell(out(), index.broken, "broken", "red")


def _json(book: Runbook) -> dict[str, Any]:
    return {
        "path": book.path,
        "digest": book.digest,
        "title": book.title,
        "alerts": book.alerts,
        "services": book.services,
        "environments": book.environments,
        "owner": book.owner,
        "reviewed": book.reviewed,
        "steps": [{"id": s.id, "action": s.action, "note": s.note, "line": s.line} for s in book.steps],
        "sections": [{"title": s.title, "slug": s.slug, "text": s.text} for s in book.sections],
    }


@runbooks.command("show")
@click.argument("name")
@json_option
@command
async def show_runbook(name: str, as_json: bool) -> None:
    """Show a runbook: what a person reads, and the steps a machine follows. NAME#SECTION shows that section alone."""
    page, _, slug = name.partition("#")
    with library() as opened:
        book = opened.index.get(page)
    if slug:
        book = _only(book, slug)
    if as_json:
        emit(_json(book))
        return
    console = out()
    console.print(f"{book.path}  reviewed {book.reviewed or 'never'}  owner {book.owner or 'nobody'}", markup=False)
    console.print(f"digest {book.digest}", soft_wrap=True)
    text = "\n\n".join(f"## {s.title}\n\n{s.text}" if s.title else s.text for s in book.sections)
    console.print(Markdown(show.visible(text)) if console.is_terminal else Text(show.visible(text)))
    columns = ("step", "action", "repeats", "if it fails", "note")
    if book.steps:
        console.print(show.table(*columns, rows=map(_step, book.steps), whole=("step", "action"), drop=("repeats",)))


def _only(book: Runbook, slug: str) -> Runbook:
    """Return a page with one of its sections alone. Raises RunbookError with those it has."""
    found = tuple(section for section in book.sections if section.slug == slug)
    if not found:
        known = ", ".join(section.slug for section in book.sections if section.slug)
        raise RunbookError(f"{book.path} has no section {slug!r}; it has: {known or 'none'}")
    return replace(book, sections=found, steps=())


def _step(step: Step) -> tuple[str, ...]:
    repeats = f"every {step.every // 1000} s for {step.within // 1000} s" if step.until else ""
    return step.id, step.action, repeats, step.otherwise, step.note


@runbooks.command("lint")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--max-age", type=click.IntRange(1), metavar="DAYS", help="Warn of older reviews; default: the settings'."
)
@json_option
@command
async def lint_runbooks(files: tuple[Path, ...], max_age: int | None, as_json: bool) -> int:
    """Find mistakes in runbooks, all of them or the FILES given. Exit code 1 if there is an error."""
    findings, checked = _lint(files, max_age)
    if as_json:
        emit(
            [
                {"file": f.file, "line": f.line, "step": f.step, "level": f.level, "message": f.message, "fix": f.fix}
                for f in findings
            ]
        )
    else:
        for finding in findings:
            out().print(
                Text(show.visible(str(finding)), style="red" if finding.level == "error" else "yellow"), soft_wrap=True
            )
        errors = sum(finding.level == "error" for finding in findings)
        out().print(f"{checked} pages, {errors} errors, {len(findings) - errors} warnings")
    return EXIT_NOT_RESOLVED if any(finding.level == "error" for finding in findings) else 0


def _lint(files: Sequence[Path], max_age: int | None) -> tuple[list[Finding], int]:
    with library() as opened:
        host, inventory = opened.host, opened.settings.services()
        days = max_age or opened.settings.knowledge.max_age_days
        if files:
            pages = [(str(file), file.read_bytes()) for file in files]
            found = [f for name, page in pages for f in lint_text(page, name, host.actions, inventory, max_age=days)]
            return found, len(pages)
        index = _to_lint(opened)
    found = [f for book in index.runbooks.values() for f in lint(book, host.actions, inventory, max_age=days)]
    found += together(index)
    found += [Finding(b.path, 1, "", "error", b.reason, "it is not used until this is right") for b in index.broken]
    return found, len(index.runbooks) + len(index.broken)


def _to_lint(opened: Opened) -> Index:
    """Return all pages of our own folders, mistakes and all, and what can be followed in the other sources.

    Prose from elsewhere is not held to our rules.
    """
    ours = Index.load(runbook_folders(opened.settings, opened.host))
    more = {path: book for path, book in opened.index.runbooks.items() if path not in ours.runbooks}
    known = {*ours.runbooks, *(broken.path for broken in ours.broken)}
    return Index({**ours.runbooks, **more}, [*ours.broken, *(b for b in opened.index.broken if b.path not in known)])


@runbooks.command("search")
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1), default=5, show_default=True, help="How many pages.")
@click.option("--service", "services", multiple=True, metavar="NAME", help="Only pages for it; repeatable.")
@click.option("--environment", "environments", multiple=True, metavar="NAME", help="Only pages for it; repeatable.")
@click.option("--owner", "owners", multiple=True, metavar="TEAM", help="Only pages this team keeps; repeatable.")
@json_option
@command
async def search(
    words: tuple[str, ...],
    limit: int,
    services: tuple[str, ...],
    environments: tuple[str, ...],
    owners: tuple[str, ...],
    as_json: bool,
) -> int:
    """Find sections by words, with their citations. Exit code 1 if no page has any of them.

    A page that names no service, environment or owner is for all.
    """
    wanted = Filters(services=services, environments=environments, owners=owners)
    asked, today = " ".join(words), datetime.now(UTC).date()
    with library() as opened:
        hits, days = opened.index.search(asked, limit, filters=wanted), opened.settings.knowledge.max_age_days
    if as_json:
        emit(sections_json(hits, asked, today, days))
    else:
        sections(hits, asked, out(), today, days)
    if hits and hits[0].note:
        err.print(show.visible(hits[0].note), style="yellow", markup=False)
    return 0 if hits else EXIT_NOT_RESOLVED


@runbooks.command("run")
@click.argument("name")
@click.argument("text", nargs=-1)
@click.option(
    "--with", "words", multiple=True, metavar="KEY=TEXT", help="A value the page reads as params.KEY; repeatable."
)
@no_wait
@json_option
@command
async def run_runbook(name: str, text: tuple[str, ...], words: tuple[str, ...], no_wait: bool, as_json: bool) -> int:
    """Follow a runbook now. Every call goes through the gate. Exit codes as for `sysop ask`."""
    params = pairs(words)
    async with opened(check=False) as app:
        book = _followable(app, name)
        about = " ".join(text) or book.title
        request = Request(me(app), Origin.ASKED, "cli", about, args=params, planner="runbook", runbook=book.path)
        return await follow.submit(app, request, wait=not no_wait, as_json=as_json)


def _followable(app: App, name: str) -> Runbook:
    book = app.index.get(name)
    if not book.steps:
        raise RunbookError(f"{book.path} has no steps that could be followed; read it: sysop runbooks show {name}")
    return book


for one in (index, status, new, questions, answered, dismiss, evaluate_runbooks):
    runbooks.add_command(one)
