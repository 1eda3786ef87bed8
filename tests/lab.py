"""A plugin for tests: effects are lines in a file, durable, so that every attempt can be counted afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sysop.api import (
    Action,
    ActionFailed,
    Context,
    Preview,
    Reconciled,
    Risk,
    Verification,
    Verify,
    action,
    hookimpl,
)


class LabSettings(BaseModel):
    """Where effects go."""

    model_config = ConfigDict(frozen=True)
    folder: Path


class Done(BaseModel):
    key: str
    name: str


def _append(file: Path, line: str) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, f"{line}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


class Lab:
    """The target: `begin` and `finish` of every effect are lines; `probe` lets the crash matrix die in between."""

    def __init__(self, probe: Callable[[str], None] = lambda _point: None) -> None:
        self.probe = probe

    def effects(self, ctx: Context) -> Path:
        return Path(ctx.settings.folder) / "effects"

    def act(self, ctx: Context, name: str) -> Done:
        self.probe("effect.before")
        _append(self.effects(ctx), ctx.key)
        self.probe("effect.after")
        return Done(key=ctx.key, name=name)

    async def find(self, ctx: Context, args: BaseModel) -> Reconciled:
        if ctx.key in lines(self.effects(ctx)):
            return Reconciled("done", "the line is there", {"key": ctx.key, "name": args.name})  # type: ignore[attr-defined]
        return Reconciled("not_done", "there is no such line")

    async def preview(self, ctx: Context, args: BaseModel) -> Preview:
        return Preview(f"append {args.name}", (f"+ {ctx.key}",), ())  # type: ignore[attr-defined]

    async def level(self, ctx: Context, args: BaseModel) -> str:
        file = Path(ctx.settings.folder) / "level"
        return file.read_text() if file.exists() else "0"

    async def confirmed(self, ctx: Context, args: BaseModel, result: object) -> Verification:
        file = Path(ctx.settings.folder) / "healthy"
        return Verification("passed", "healthy") if file.exists() else Verification("pending", "not yet")


def actions(lab: Lab) -> list[Action]:
    """Return the lab's actions, each a kind of target."""
    short = timedelta(milliseconds=200)

    @action(risk=Risk.READ)
    async def look(ctx: Context, name: str = "x") -> list[str]:
        """Return the effects so far."""
        return lines(lab.effects(ctx))

    @action(risk=Risk.READ)
    async def broken(ctx: Context) -> str:
        """Raise."""
        raise RuntimeError("password=hunter22222 broke")

    @action(risk=Risk.CHANGE, target="thing:{name}", preview=lab.preview, reconcile=lab.find, timeout=short)
    async def append(ctx: Context, name: str) -> Done:
        """Append a line; the target can be asked."""
        return lab.act(ctx, name)

    @action(risk=Risk.CHANGE, target="thing:{name}", timeout=short)
    async def shout(ctx: Context, name: str) -> Done:
        """Append a line; nobody can tell afterwards."""
        return lab.act(ctx, name)

    @action(risk=Risk.CHANGE, target="thing:{name}", idempotent=True, timeout=short)
    async def blind(ctx: Context, name: str) -> Done:
        """Append a line, and claim wrongly that doing it again is harmless: the control that must show duplicates."""
        return lab.act(ctx, name)

    @action(risk=Risk.CHANGE, target="thing:{name}", preview=lab.preview, precondition=lab.level, reconcile=lab.find)
    async def guarded(ctx: Context, name: str) -> Done:
        """Append a line, if the level has not moved."""
        return lab.act(ctx, name)

    @action(
        risk=Risk.CHANGE,
        target="thing:{name}",
        reconcile=lab.find,
        verify=Verify(lab.confirmed, within=timedelta(seconds=2), every=timedelta(milliseconds=50)),
    )
    async def checked(ctx: Context, name: str) -> Done:
        """Append a line and see whether it helped."""
        return lab.act(ctx, name)

    @action(risk=Risk.CHANGE, target="thing:{name}")
    async def refuse(ctx: Context, name: str) -> Done:
        """Fail, and say that nothing happened."""
        raise ActionFailed(f"{name} is not possible; token=abcdefgh12345")

    @action(risk=Risk.DESTRUCTIVE, target="thing:{name}", preview=lab.preview, reconcile=lab.find)
    async def wipe(ctx: Context, name: str, count: int = 1, ratio: float = 1.0) -> Done:
        """Append a line that counts as destructive."""
        return lab.act(ctx, name)

    return [look, broken, append, shout, blind, guarded, checked, refuse, wipe]


class LabPlugin:
    """What an entry point would load."""

    def __init__(self, lab: Lab | None = None) -> None:
        self._actions = actions(lab or Lab())

    @hookimpl
    def register_actions(self) -> Iterable[Action]:
        return self._actions

    @hookimpl
    def register_settings(self) -> type[BaseModel]:
        return LabSettings
