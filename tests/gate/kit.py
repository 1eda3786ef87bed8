"""A gate to attack: an app with the lab plugin, a worker that advances one run at a time, and raw SQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import text

import bench
from lab import lines
from sysop.app import App
from sysop.extension import Planner, Toolbox
from sysop.gate.approvals import Counted
from sysop.model import Actor, Approval, Conclusion, Origin, Request, Run, RunState
from sysop.runner.advance import Advance
from sysop.store import approvals, audit, effects, runs
from sysop.store.effects import Effect

ANN = Actor("person:ann", frozenset({"approver"}), human=True)
BOB = Actor("person:bob", frozenset({"approver"}), human=True)
CAT = Actor("person:cat", frozenset({"approver", "lead"}), human=True)
DAN = Actor("person:dan", human=True)

_clicks = iter(range(1_000_000_000))


class Died(BaseException):
    """The end of a process, at a probe."""


def dies_at(point: str) -> Callable[[str], None]:
    """Return a probe that ends the process at this point."""

    def probe(reached: str) -> None:
        if reached == point:
            raise Died

    return probe


class Attack:
    """One process's view of a Sysop under attack."""

    def __init__(self, folder: Path, url: str, *, probe: Callable[[str], None] = lambda _p: None, **more: Any) -> None:
        self.folder, self.url = folder, url
        self.app: App = bench.build(folder, url, probe=probe, **more)
        app = self.app
        self.advance = Advance(app.store, app.gate, app.host, app.contexts.inventory, app.planners, "tester", probe)

    async def submit(self, action: str, args: Mapping[str, Any] | None = None, *, by: Actor = ANN, **more: Any) -> str:
        if "planner" not in more:
            more["action"] = f"lab.{action}" if "." not in action else action
        return await self.app.service.submit(Request(by, Origin.ASKED, "test", args=args or {}, **more))

    async def ask(self, action: str, args: Mapping[str, Any] | None = None, *, by: Actor = ANN) -> Approval:
        """Submit a change and advance it to its approval."""
        run = await self.submit(action, args if args is not None else {"name": "web"}, by=by)
        await self.advance(run)
        return await self.approval(run)

    async def dying(self, action: str, args: Mapping[str, Any]) -> str:
        """Submit a run and advance it to the probe at which this process dies; it lies there as after a kill."""
        run = await self.submit(action, args)
        await self.die(run)
        return run

    async def die(self, run: str) -> None:
        try:
            await self.advance(run)
        except Died:
            await self.app.store.write(runs.release_all)
        else:
            raise AssertionError("the process did not die")

    async def vote(self, approval: Approval, by: Actor = BOB, approve: bool = True, **more: Any) -> Counted:
        more.setdefault("delivery", f"click {next(_clicks)}")
        return await self.app.service.decide(approval.id, by, approve, **more)

    async def approved(self, action: str, args: Mapping[str, Any] | None = None) -> Approval:
        """Get a change up to the point where one more `advance` runs it."""
        approval = await self.ask(action, args)
        assert (await self.vote(approval)).counted
        return await self.approval(approval.run)

    async def approval(self, run: str, call: str = "call") -> Approval:
        found = await self.app.store.read(lambda conn: approvals.newest_for(conn, run, call))
        assert found is not None, f"run {run} has no approval: {await self.run(run)}"
        return found

    async def load(self, approval: str) -> Approval:
        return await self.app.store.read(lambda conn: approvals.load(conn, approval))

    async def run(self, run: str) -> Run:
        return await self.app.store.read(lambda conn: runs.load(conn, run))

    async def row(self, run: str, call: str = "call") -> Effect | None:
        return await self.app.store.read(lambda conn: effects.find(conn, run, call))

    async def state(self, run: str, call: str = "call") -> str | None:
        row = await self.row(run, call)
        return str(row.state) if row else None

    async def sql(self, statement: str, **values: Any) -> None:
        """Change the database behind the product's back."""
        await self.app.store.write(lambda tx: tx.conn.execute(text(statement), values) and None)

    async def told(self, run: str) -> str:
        """Return the summary of a finished run."""
        found = await self.run(run)
        assert found.conclusion is not None, found
        return str(found.conclusion["summary"])

    async def kinds(self, chain: str) -> list[str]:
        entries = await self.app.store.read(lambda conn: audit.entries(conn, chain=chain, limit=10_000))
        return [entry.kind for entry in entries]

    async def work(self, seconds: float = 20.0) -> None:
        """Advance everything that is due, again and again, until only people can move anything."""
        async with asyncio.timeout(seconds):
            while True:
                ids, next_due = await self.app.store.read(runs.due)
                if not ids and (next_due is None or next_due > await self.app.store.now() + 3000):
                    return
                await asyncio.gather(*(self.advance(run) for run in ids))
                if not ids:
                    await asyncio.sleep(0.02)

    @property
    def begun(self) -> list[str]:
        """Return the key of every effect that reached the target, as often as it did."""
        return lines(self.folder / "effects")

    async def close(self) -> None:
        await self.app.close()


class Calls:
    """A planner that makes the calls it is given, one after the other."""

    def __init__(self, *calls: tuple[str, str, Mapping[str, Any]]) -> None:
        self._calls = calls

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        states = [str((await toolbox.call(*call)).state) for call in self._calls]
        return Conclusion(" ".join(states), resolved=True)

    def named(self, name: str = "calls") -> dict[str, Callable[[], Planner]]:
        return {name: lambda: self}


def over(run: Run) -> bool:
    return run.state in (RunState.DONE, RunState.FAILED, RunState.CANCELLED)
