"""The company of the contract suite: a plugin whose effects can be counted, and a planner that does what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from sysop.api import (
    Action,
    ActionRefused,
    Conclusion,
    Context,
    PlannerFactory,
    Preview,
    Reconciled,
    Risk,
    Run,
    SlashCommand,
    Toolbox,
    Verification,
    Verify,
    action,
    hookimpl,
)

PAGES = Path(__file__).parent / "runbooks"


class Orders(BaseModel):
    """How a service fares."""

    service: str
    failing: int


class Company:
    """One shop. `effects` are the changes made to it, by key; `hold` is a look that lasts until it is let go of."""

    def __init__(self) -> None:
        self.effects: dict[str, str] = {}
        self.held = asyncio.Event()
        self.free = asyncio.Event()

    @property
    def changed(self) -> list[str]:
        return list(self.effects.values())

    async def _preview(self, ctx: Context, args: Any) -> Preview:
        return Preview(f"{args.service} goes back to 1.0", ("- 1.1", "+ 1.0"), ("customers of the shop",))

    async def _find(self, ctx: Context, args: Any) -> Reconciled:
        return Reconciled("done", "seen") if ctx.key in self.effects else Reconciled("not_done", "never seen")

    async def _helped(self, ctx: Context, args: Any, result: Any) -> Verification:
        return Verification("passed", "nothing fails any more")

    def actions(self) -> list[Action]:
        """Return what the shop can do."""

        @action(risk=Risk.READ)
        async def orders(ctx: Context, service: str = "checkout") -> Orders:
            """Count failing orders."""
            return Orders(service=service, failing=0 if self.effects else 3)

        @action(risk=Risk.READ)
        async def hold(ctx: Context, name: str = "x") -> str:
            """Look for as long as nobody says otherwise."""
            self.held.set()
            await self.free.wait()
            return f"looked at {name}"

        verify = Verify(self._helped)

        @action(
            risk=Risk.CHANGE, target="service:{service}", preview=self._preview, reconcile=self._find, verify=verify
        )
        async def rollback(ctx: Context, service: str) -> str:
            """Return a service to its previous version."""
            self.effects[ctx.key] = f"rollback {service}"
            return "1.0"

        @action(risk=Risk.DESTRUCTIVE, target="service:{service}", preview=self._preview, reconcile=self._find)
        async def wipe(ctx: Context, service: str) -> str:
            """Forget every order of a service."""
            self.effects[ctx.key] = f"wipe {service}"
            return "gone"

        return [orders, hold, rollback, wipe]


class Shop:
    """The plugin."""

    def __init__(self, company: Company) -> None:
        self._actions = company.actions()

    @hookimpl
    def register_actions(self) -> Iterable[Action]:
        return self._actions

    @hookimpl
    def register_runbooks(self) -> Iterable[Path]:
        return [PAGES]

    @hookimpl
    def register_planners(self) -> Iterable[PlannerFactory]:
        return [PlannerFactory("obeys", Obeys)]

    @hookimpl
    def register_slash_commands(self) -> Iterable[SlashCommand]:
        usage = "/sysop rollback SERVICE"
        return [SlashCommand("rollback", "return a service to its previous version", usage, "rollback", _service)]


def _service(text: str) -> Mapping[str, Any]:
    if not text:
        raise ValueError("name a service")
    return {"service": text}


class Obeys:
    """Calls what each line names, `rollback checkout` or `orders`, says any other line, and tells what was before."""

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        before = [one.text for one in await toolbox.earlier()]
        done = [await self._line(number, line, toolbox) for number, line in enumerate(run.text.splitlines())]
        told = f", after {before}" if before else ""
        return Conclusion(f"obeyed: {'; '.join(done)}{told}", resolved=True)

    async def _line(self, number: int, line: str, toolbox: Toolbox) -> str:
        verb, _, name = line.partition(" ")
        if f"shop.{verb}" not in toolbox.tools:
            await toolbox.say(f"s{number}", line)
            return line
        if verb == "hold":
            await toolbox.say(f"c{number}.start", line)
        args = {("name" if verb == "hold" else "service"): name} if name else {}
        try:
            outcome = await toolbox.call(f"c{number}", f"shop.{verb}", args, reason=line)
        except ActionRefused as refused:
            return f"{verb} refused: {refused}"
        return f"{verb} is {outcome.state}"
