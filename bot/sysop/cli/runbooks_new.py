"""`sysop runbooks new`: a first version of a page, for a person to finish."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from sysop.app import App
from sysop.cli.common import again, command, emit, err, json_option, opened
from sysop.cli.output import echo
from sysop.cli.show import visible
from sysop.knowledge.draft import blank, draft
from sysop.knowledge.draft_facts import facts
from sysop.knowledge.index import Index
from sysop.knowledge.lint import Finding, lint_text
from sysop.knowledge.runbook import parse

_NOWHERE = "draft.md"


@click.command("new")
@click.argument("incident", required=False)
@click.option("--title", help="What an empty page is about, where no incident is named.")
@click.option("--alert", "alerts", multiple=True, metavar="NAME", help="An alert the page is for; repeatable.")
@click.option("--service", "services", multiple=True, metavar="NAME", help="A service it is for; repeatable.")
@click.option("--owner", default="", metavar="TEAM", help="Who keeps it right.")
@click.option(
    "--out", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write it here, not to standard output."
)
@json_option
@command
async def new(
    incident: str | None,
    title: str | None,
    alerts: tuple[str, ...],
    services: tuple[str, ...],
    owner: str,
    target: Path | None,
    as_json: bool,
) -> None:
    """Draft a page from an INCIDENT that is over, or an empty one with --title, for a person to finish.

    A draft of an incident has a step for each call that was made. Nobody follows one that changes something before a
    person has said when it shall.
    """
    if (incident is None) == (title is None):
        raise click.UsageError("name an incident that is over, or say what the page is about by --title; one of them")
    if incident is not None and (alerts or services or owner):
        raise click.UsageError("--alert, --service and --owner go with --title; those of an incident are known")
    _check_target(target)
    async with opened(check=incident is not None) as app:
        text = blank(title or "", alerts, services, owner) if incident is None else await _drafted(app, incident)
        found = lint_text(text, str(target or _NOWHERE), app.host.actions, app.contexts.inventory)
        known = _known(app.index, text)
    if target is not None:
        _write(target, text)
    if as_json:
        emit({"file": str(target) if target else None, "text": text, "findings": list(map(_json, found))})
        return
    if target is None:
        echo(visible(text).rstrip("\n"))
    _tell(target, text, [*map(str, found), *known], app.settings.runbooks)


async def _drafted(app: App, incident: str) -> str:
    known = await app.store.read(partial(facts, incident=incident, inventory=app.contexts.inventory))
    return draft(known, app.host.actions)


def _known(index: Index, text: str) -> list[str]:
    """Return a sentence for each page that is about one of its alerts already."""
    mine = parse(text, _NOWHERE).alerts
    pages = ((page.path, [name for name in mine if name in page.alerts]) for page in index.pages.documents())
    fix = "add to that one what is new, or name a service by which the two differ"
    return [f"{path} is for {', '.join(names)} already; {fix}" for path, names in pages if names]


def _check_target(target: Path | None) -> None:
    if target is None:
        return
    if target.suffix != ".md":
        raise click.BadParameter(f"{target} would not be read as a page; let its name end in .md", param_hint="--out")
    if os.path.lexists(target):
        raise click.BadParameter(f"{target} is there already; name a new file, or move that one", param_hint="--out")


def _write(target: Path, text: str) -> None:
    """Write a new file, whole or not at all; one that came in between is left as it is."""
    try:
        with target.open("x", encoding="utf-8") as file:
            try:
                file.write(text)
                file.flush()
            except OSError:
                target.unlink()
                raise
    except FileExistsError:
        raise click.ClickException(f"{target} is there already; name a new file, or move that one") from None
    except OSError as bad:
        told = (
            f"{target} cannot be written: {bad.strerror}; name a folder that is there, has room and is yours to write"
        )
        raise click.ClickException(told) from None


def _json(finding: Finding) -> dict[str, object]:
    keys = ("line", "step", "level", "message", "fix")
    return {key: getattr(finding, key) for key in keys}


def _tell(target: Path | None, text: str, found: Sequence[str], folders: Sequence[Path]) -> None:
    """Say on standard error what is left to do, and how the page comes into use."""
    if target is not None:
        err.print(f"written: {target}", markup=False)
    err.print(f"left to do: {text.count('TODO')} places marked TODO, and what was found:", markup=False)
    for finding in found:
        err.print(f"- {visible(finding)}", markup=False)
    name = target or Path("FILE.md")
    if not any(name.resolve().is_relative_to(folder.resolve()) for folder in folders):
        where = " or ".join(map(str, folders)) or "a folder that `runbooks` in sysop.yaml names"
        err.print(f"It is read where it lies in {where}.", markup=False)
    err.print(f"When it is finished: {again('runbooks', 'lint', str(name))}", markup=False)
    if "\n```step\n" in text and not text.partition("\n```step\n")[0].endswith("~~~markdown"):
        err.print(f"Then, to follow it: {again('runbooks', 'run', name.stem)}", markup=False)
