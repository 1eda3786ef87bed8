"""`sysop doctor`: look at every part of this installation, say what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click
from rich.text import Text

from sysop import __version__
from sysop.cli import show
from sysop.cli.checks import look_at_everything
from sysop.cli.common import EXIT_NOT_RESOLVED, command, emit, json_option, out
from sysop.cli.found import Found

_MARKS: dict[str, tuple[str, str]] = {"ok": ("✓", "green"), "note": ("·", "yellow"), "failed": ("✗", "bold red")}


@click.command()
@json_option
@command
async def doctor(as_json: bool) -> int:
    """Check the installation and explain what is missing. Exit code 1 if a check failed."""
    found: list[Found] = []
    settings: dict[str, Any] = {}
    async for one in look_at_everything(settings):
        found.append(one)
        if not as_json:
            _print(one)
    failed = sum(one.status == "failed" for one in found)
    if as_json:
        emit({"ok": not failed, "version": __version__, "checks": [asdict(f) for f in found], "settings": settings})
    else:
        _print_settings(settings)
        out().print(f"\n{failed} of {len(found)} checks failed" if failed else "\nall is well", style="bold")
    return EXIT_NOT_RESOLVED if failed else 0


def _print(one: Found) -> None:
    mark, style = _MARKS[one.status]
    out().print(Text.assemble((f"{mark} {one.name:<14}", style), show.visible(one.detail)), soft_wrap=True)
    for line in one.fix.splitlines():
        out().print(Text(f"  {'':<14}{show.visible(line)}", style="dim"), soft_wrap=True)


def _print_settings(settings: Mapping[str, Any]) -> None:
    given = [(name, one["source"], show.one_line(str(one["value"]), 90)) for name, one in settings.items()]
    told = [line for line in given if line[1] != "default"]
    if told:
        out().print()
        out().print(show.table("setting", "from", "value", rows=told, whole=("setting",)))
    rest = [name for name, source, _ in given if source == "default"]
    if rest:
        out().print(f"at their defaults: {', '.join(rest)}", style="dim", soft_wrap=True)
