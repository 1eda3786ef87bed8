"""A Sysop whose actions say what they change, and what others tell of changes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from sysop.api import (
    Action,
    Change,
    ChangeKind,
    ChangeSource,
    ChangeState,
    Context,
    Reconciled,
    Risk,
    Verification,
    Verify,
    action,
    hookimpl,
)

FREE = {"rules": [{"name": "all", "verdict": "allow", "actions": ["*"]}]}


class Shipped(BaseModel):
    version: str
    build: str


def change(id: str = "b1", **values: Any) -> Change:
    """Return a deploy of checkout as a CI system tells it."""
    facts: dict[str, Any] = {"source": "ci", "at": 1_700_000_000_000, "after": "2.3.1"}
    return Change(**{"kind": ChangeKind.DEPLOY, "service": "checkout", "id": id, **facts, **values})


@dataclass
class Shop:
    """A plugin: `ship` deploys, `scale` scales, and `told` is what its place answers when it is asked."""

    folder: Path
    told: list[Change] = field(default_factory=list)
    broken: Exception | None = None
    asked: list[int] = field(default_factory=list)
    ended: bool = False
    looks: int = 0
    again: timedelta | None = None
    wrong: dict[str, Any] = field(default_factory=dict)

    @property
    def effects(self) -> list[str]:
        file = self.folder / "shipped"
        return file.read_text().splitlines() if file.exists() else []

    def _act(self, ctx: Context) -> None:
        with (self.folder / "shipped").open("a") as out:
            out.write(f"{ctx.key}\n")

    async def _find(self, ctx: Context, args: Any) -> Reconciled:
        if ctx.key in self.effects:
            version = getattr(args, "version", "")
            return Reconciled("done", "it is there", {"version": version, "build": f"ci:{ctx.key}"})
        return Reconciled("not_done", "it is not there")

    async def _ended(self, ctx: Context, args: Any, result: Any) -> Verification:
        self.looks += 1
        if self.ended:
            return Verification("passed", "it has ended")
        return Verification("pending", "it goes on", self.again, (result["build"],))

    @hookimpl
    def register_actions(self) -> Iterable[Action]:
        def shipped(args: Any, result: Any) -> Change:
            return Change(
                ChangeKind.DEPLOY,
                args.service,
                source="ci",
                id=result["build"],
                state=ChangeState.STARTED,
                before="2.3.0",
                after=result["version"],
            )

        short = timedelta(milliseconds=200)

        @action(risk=Risk.CHANGE, target="service:{service}", reconcile=self._find, changes=shipped, timeout=short)
        async def ship(ctx: Context, service: str, version: str) -> Shipped:
            """Deploy a version."""
            self._act(ctx)
            return Shipped(version=version, build=f"ci:{ctx.key}")

        @action(
            risk=Risk.CHANGE,
            target="service:{service}",
            reconcile=self._find,
            changes=shipped,
            verify=Verify(self._ended, within=timedelta(minutes=10), every=timedelta(seconds=1)),
        )
        async def follow(ctx: Context, service: str, version: str) -> Shipped:
            """Deploy a version and follow it to its end."""
            self._act(ctx)
            return Shipped(version=version, build=f"ci:{ctx.key}")

        @action(
            risk=Risk.CHANGE,
            target="service:{service}",
            reconcile=self._find,
            changes=lambda args, result: Change(ChangeKind.SCALE, args.service, after=str(args.to)),
        )
        async def scale(ctx: Context, service: str, to: int) -> int:
            """Scale a service."""
            self._act(ctx)
            return to

        @action(risk=Risk.CHANGE, idempotent=True, changes=lambda args, result: result["nothing"])
        async def mute(ctx: Context) -> int:
            """Do something, and fail to say what it changed."""
            self._act(ctx)
            return 1

        @action(risk=Risk.CHANGE, idempotent=True, changes=lambda args, result: change(**self.wrong))
        async def mistake(ctx: Context) -> int:
            """Do something, and tell of it in a shape that no row can hold."""
            self._act(ctx)
            return 1

        return [ship, follow, scale, mute, mistake]

    @hookimpl
    def register_change_sources(self) -> Iterable[ChangeSource]:
        async def look(ctx: Any, secret: Any, since: int) -> list[Change]:
            self.asked.append(since)
            if self.broken is not None:
                raise self.broken
            return list(self.told)

        return [ChangeSource("ci", look, every=0.01)]


def body(**facts: Any) -> bytes:
    return json.dumps(facts).encode()
