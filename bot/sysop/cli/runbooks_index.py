"""`sysop runbooks index` and `sysop runbooks status`: what the sources hold, and how fresh it is."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any

import click
from rich.text import Text

from sysop.cli import show
from sysop.cli.chart import span
from sysop.cli.common import EXIT_NOT_RESOLVED, command, emit, err, json_option, out
from sysop.cli.library import Opened, Reading, library, tell
from sysop.errors import LibraryError
from sysop.knowledge.library.foreign import Foreign
from sysop.knowledge.library.git import GitSource
from sysop.knowledge.library.refresh import Changes
from sysop.knowledge.upkeep import Fetched
from sysop.page_source import BrokenPage, PageSource
from sysop.paths import private_folder

_WIDE = 30


@click.command("index")
@click.option("--no-pull", is_flag=True, help="Read what is here; fetch no repository.")
@click.option("--rewritten", is_flag=True, help="Take a repository's pages even if its history was rewritten.")
@json_option
@command
async def index(no_pull: bool, rewritten: bool, as_json: bool) -> int:
    """Pull repositories and read what has changed in all sources. Exit code 1 if one could not be read."""
    if no_pull and rewritten:
        raise click.UsageError("--rewritten is about pulling; leave out --no-pull")
    with library(durable=True) as opened:
        try:
            private_folder(opened.settings.state)
        except OSError as bad:
            raise LibraryError(f"state: {opened.settings.state} cannot be made: {bad.strerror}") from bad
        fetched = [] if no_pull else _pull(opened, rewritten)
        with closing(Reading(err)) as reading:
            changes = opened.knowledge.upkeep.refresh(reading)
        if as_json:
            emit(_changes_json(opened, changes, fetched))
        else:
            _print_changes(opened, changes, fetched)
    return EXIT_NOT_RESOLVED if changes.stale or changes.waiting or any(one.reason for one in fetched) else 0


def _pull(opened: Opened, rewritten: bool) -> list[Fetched]:
    upkeep = opened.knowledge.upkeep
    fetched: list[Fetched] = []
    for one in upkeep.repositories:
        with err.status(Text(f"pulling {one.source.name}")):
            fetched += upkeep.pull(rewritten=rewritten, only=lambda source, mine=one.source: source is mine)  # type: ignore[misc]
    return fetched


def _print_changes(opened: Opened, changes: Changes, fetched: list[Fetched]) -> None:
    console, broken = out(), opened.index.broken
    tell(console, _failed(fetched), "not pulled", "red")
    tell(console, changes.stale, "not read", "red")
    tell(console, broken, "not used", "yellow")
    if changes.waiting:
        console.print(Text(changes.waiting, style="yellow"))
        return
    counts = f"{len(changes.added)} new, {len(changes.changed)} changed, {len(changes.removed)} removed"
    console.print(f"{len(opened.index.pages)} pages: {counts}, {len(broken)} not used; {changes.seconds:.1f} s")


def _failed(fetched: list[Fetched]) -> list[BrokenPage]:
    return [BrokenPage(one.name, one.reason) for one in fetched if one.reason]


def _changes_json(opened: Opened, changes: Changes, fetched: list[Fetched]) -> dict[str, Any]:
    return {
        "pages": len(opened.index.pages),
        **{key: list(getattr(changes, key)) for key in ("added", "changed", "removed")},
        "pulled": [{"source": one.name, "changed": one.changed, "reason": one.reason} for one in fetched],
        "not_read": [{"source": one.path, "reason": one.reason} for one in changes.stale],
        "not_used": [{"path": one.path, "reason": one.reason} for one in opened.index.broken],
        "waiting": changes.waiting,
        "seconds": round(changes.seconds, 3),
    }


@click.command("status")
@json_option
@command
async def status(as_json: bool) -> int:
    """Show sources, how many pages each has, and how fresh they are. Exit code 1 if a source cannot be read."""
    with library() as opened:
        found = _status(opened)
    if as_json:
        emit(found)
    else:
        _print_status(found)
    return EXIT_NOT_RESOLVED if any(source["problem"] for source in found["sources"]) else 0


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a source is, where it is, and how fresh what is read of it is."""

    kind: str
    where: str
    fresh: str = ""


def _status(opened: Opened) -> dict[str, Any]:
    index, upkeep = opened.index, opened.knowledge.upkeep
    pages = list(index.pages.documents())  # looks at the sources
    shelf = upkeep.shelf
    counts, stale = shelf.library.counts(), {one.path: one.reason for one in shelf.library.stale}
    most = opened.settings.knowledge.max_age_days
    today = date.today()
    ages = Counter(_age(page.reviewed, today, most) for page in pages)
    return {
        "sources": [_source(one, counts.get(one.key, 0), stale.get(one.name, "")) for one in opened.knowledge.sources],
        "pages": len(pages),
        "sections": sum(len(page.sections) for page in pages),
        "followable": len(index.runbooks),
        "not_used": [{"path": one.path, "reason": one.reason} for one in index.broken],
        "mode": shelf.search.mode,
        "reviewed": {"max_age_days": most, **{key: ages[key] for key in ("fresh", "stale", "never")}},
        "unreviewed": [page.path for page in pages if page.reviewed is None],
        "stale": [page.path for page in pages if _age(page.reviewed, today, most) == "stale"],
    }


def _age(reviewed: date | None, today: date, most: int) -> str:
    if reviewed is None:
        return "never"
    return "stale" if (today - reviewed).days > most else "fresh"


def _source(source: PageSource, pages: int, problem: str) -> dict[str, Any]:
    what = _what(source)
    told = {"name": source.name, "kind": what.kind, "where": what.where, "pages": pages}
    return {**told, "fresh": what.fresh, "problem": problem}


def _what(source: PageSource) -> _Kind:
    if isinstance(source, Foreign):
        return _Kind("plugin", source.source.key)
    where = source.key.partition(":")[2]
    if not isinstance(source, GitSource):
        return _Kind("folder", where)
    pulled = source.pulled_at
    if pulled is None:
        return _Kind("git", where, "never pulled")
    ago = span(max(0.0, time.time() - pulled))
    return _Kind("git", where, f"{_revision(source)}, pulled {ago} ago")


def _revision(source: GitSource) -> str:
    try:
        return source.revision[:12]
    except LibraryError:
        return "unknown"


def _print_status(found: dict[str, Any]) -> None:
    console = out()
    rows = (
        (s["name"], s["kind"], str(s["pages"]), s["fresh"] or "as it lies there", s["where"]) for s in found["sources"]
    )
    columns = ("source", "kind", "pages", "fresh", "where")
    console.print(show.table(*columns, rows=rows, whole=("source", "pages", "fresh"), drop=("where", "kind")))
    for source in found["sources"]:
        if source["problem"]:
            told = f"{source['name']}: {source['problem']}"
            console.print(Text(f"not read: {show.visible(told)}", style="red"), soft_wrap=True)
    for one in found["not_used"]:
        console.print(Text(f"not used: {show.visible(one['reason'])}", style="yellow"), soft_wrap=True)
    console.print(
        f"{found['pages']} pages, {found['sections']} sections, {found['followable']} pages can be followed; "
        f"found by {'words and meaning' if found['mode'] == 'hybrid' else 'words'}",
        soft_wrap=True,
    )
    _print_ages(found["reviewed"], found["pages"])


def _print_ages(reviewed: dict[str, int], pages: int) -> None:
    days = reviewed["max_age_days"]
    lines = (
        ("fresh", f"reviewed within {days} days", "green"),
        ("stale", f"reviewed more than {days} days ago", "yellow"),
        ("never", "never reviewed", "red"),
    )
    wide = max(len(words) for _, words, _ in lines)
    for key, words, style in lines:
        bar = "█" * round(_WIDE * reviewed[key] / max(pages, 1)) or ("▏" if reviewed[key] else "")
        out().print(Text(f"{words:<{wide}} {reviewed[key]:>6} ").append(bar, style=style))
