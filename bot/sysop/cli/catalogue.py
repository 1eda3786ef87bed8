"""`sysop actions` and `sysop plugins`: what is installed and what it can do."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click
from rich.text import Text

from sysop import app as composition
from sysop.actions import Action
from sysop.cli import show
from sysop.cli.common import EXIT_NOT_RESOLVED, command, emit, json_option, load_settings, out
from sysop.errors import InvalidRequest
from sysop.inventory import Inventory, nearest


@click.command()
@click.argument("name", required=False)
@json_option
@command
async def actions(name: str | None, as_json: bool) -> None:
    """List what Sysop can do, or show one action with its arguments."""
    settings = load_settings()
    host, inventory = composition.load_plugins(settings), settings.services()
    if name is None:
        found = [host.actions[known] for known in sorted(host.actions)]
        _list(found) if not as_json else emit([_json(action, inventory) for action in found])
        return
    action = host.find(name)
    if action is None:
        raise InvalidRequest(f"there is no action {name!r}{nearest(name, host.actions)}")
    _one(action, inventory) if not as_json else emit(_json(action, inventory))


def _list(found: list[Action]) -> None:
    lines = ((a.name, show.risk(a.risk), a.target, " ".join(_has(a)), a.summary) for a in found)
    columns = ("action", "risk", "target", "has", "what it does")
    out().print(show.table(*columns, rows=lines, whole=("action",), drop=("has", "target")))


def _one(action: Action, inventory: Inventory) -> None:
    console, schema = out(), action.schema(inventory)
    console.print(Text.assemble((action.name, "bold"), "  ", show.risk(action.risk), f"  target {action.target}"))
    console.print(action.summary, markup=False)
    console.print(f"has: {', '.join(_has(action)) or 'none of preview, precondition, verify, undo, reconcile'}")
    console.print(f"time limit {action.timeout.total_seconds():g} s   plugin {action.plugin} {action.version}")
    if action.undo:
        console.print(f"undone by {action.undo}")
    required = set(schema.get("required", ()))
    lines = (
        (key, _kind(spec), "yes" if key in required else f"no, {spec.get('default')!r}", spec.get("description", ""))
        for key, spec in schema["properties"].items()
    )
    console.print(show.table("argument", "type", "required", "meaning", rows=lines, whole=("argument",)))


def _kind(spec: dict[str, Any]) -> str:
    if "enum" in spec:
        return " | ".join(map(str, spec["enum"]))
    if "anyOf" in spec:
        return " | ".join(_kind(part) for part in spec["anyOf"])
    return str(spec.get("type", "any"))


def _has(action: Action) -> list[str]:
    named = {
        "preview": action.preview,
        "precondition": action.precondition,
        "verify": action.verify,
        "undo": action.undo,
        "reconcile": action.reconcile,
        "idempotent": action.idempotent,
    }
    return [name for name, value in named.items() if value]


def _json(action: Action, inventory: Inventory) -> dict[str, Any]:
    return {
        "name": action.name,
        "risk": action.risk,
        "summary": action.summary,
        "target": action.target,
        "plugin": action.plugin,
        "version": action.version,
        "timeout_seconds": action.timeout.total_seconds(),
        "has": _has(action),
        "undo": action.undo,
        "schema": action.schema(inventory),
    }


@click.command()
@json_option
@command
async def plugins(as_json: bool) -> int:
    """List plugins and what is wrong with them. Exit code 1 if one is broken."""
    report = composition.load_plugins(load_settings()).report
    if as_json:
        emit([asdict(loaded) for loaded in report])
    else:
        lines = (
            (
                p.name,
                p.version,
                Text("broken", style="bold red") if p.problem else Text("works", style="green"),
                str(p.actions),
                p.origin,
                show.visible(p.problem or ""),
            )
            for p in report
        )
        columns = ("plugin", "version", "state", "actions", "from", "problem")
        out().print(show.table(*columns, rows=lines, whole=("plugin",), drop=("version", "actions", "from")))
    return EXIT_NOT_RESOLVED if any(loaded.problem for loaded in report) else 0
