"""A plugin in one file: effects are lines in its own folder."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from sysop.api import (
    Action,
    Context,
    Health,
    HealthCheck,
    PluginContext,
    Preview,
    Reconciled,
    Risk,
    action,
    hookimpl,
)


async def preview(ctx: Context, args: BaseModel) -> Preview:
    text = args.text  # type: ignore[attr-defined]
    return Preview(f"write {text}", (f"+ {text}", "- nothing"), ("nobody",))


async def wrote(ctx: Context, args: BaseModel) -> Reconciled:
    return Reconciled("unknown", "it keeps no record")


@action(risk=Risk.READ)
async def read(ctx: Context) -> list[str]:
    """Return the lines."""
    file = ctx.state / "lines"
    return file.read_text().splitlines() if file.exists() else []


@action(risk=Risk.CHANGE, target="page:{text}", preview=preview)
async def write(ctx: Context, text: str, times: int = 1) -> int:
    """Append a line."""
    with (ctx.state / "lines").open("a") as file:
        file.write(f"{text}\n" * times)
    return times


@action(risk=Risk.DESTRUCTIVE, target="page:{text}", preview=preview, reconcile=wrote)
async def erase(ctx: Context, text: str) -> int:
    """Forget everything."""
    (ctx.state / "lines").unlink(missing_ok=True)
    return 0


@action(risk=Risk.CHANGE, target="page:{text}")
async def vanish(ctx: Context, text: str) -> int:
    """Do something nobody can tell of afterwards."""
    raise ConnectionError("the line went dead")


@hookimpl
def register_actions() -> Iterable[Action]:
    return [read, write, erase, vanish]


async def _health(ctx: PluginContext) -> Health:
    return Health(True, "the toy works")


@hookimpl
def register_health_checks() -> Iterable[HealthCheck]:
    return [HealthCheck("toy", _health)]
