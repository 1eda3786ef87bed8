"""The planner's door, for one claim of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sysop.extension import Tool
from sysop.gate.gate import Gate
from sysop.host import Host
from sysop.inventory import Inventory
from sysop.model import Call, Outcome, Run
from sysop.store import effects, runs
from sysop.store.store import Store


class RunToolbox:
    """Binds every call, word and memory to a run and its fence."""

    def __init__(self, run: Run, gate: Gate, host: Host, inventory: Inventory, store: Store) -> None:
        self._run = run
        self._gate = gate
        self._store = store
        self._tools = {
            action.name: Tool(action.name, action.summary, action.risk, action.schema(inventory))
            for action in host.actions.values()
        }

    @property
    def tools(self) -> Mapping[str, Tool]:
        """Return the actions by name."""
        return self._tools

    async def call(
        self, id: str, action: str, args: Mapping[str, Any], *, reason: str = "", provider_id: str | None = None
    ) -> Outcome:
        """Make a call through the gate."""
        return await self._gate.execute(self._run, Call(id, action, args, reason, provider_id))

    async def say(self, id: str, text: str) -> None:
        """Tell people something, once per id."""
        await self._store.write(lambda tx: runs.say(tx, self._run.id, self._run.fence, id, text))

    async def remember(self, plan: Mapping[str, Any]) -> None:
        """Store the plan."""
        await self._store.write(lambda tx: runs.remember(tx, self._run.id, self._run.fence, plan))

    async def now(self) -> int:
        """Return the database's time."""
        return await self._store.now()

    async def history(self) -> tuple[bytes | None, int, Mapping[str, Any]]:
        """Return the stored messages, the number of model answers so far and the usage."""
        return await self._store.read(lambda conn: runs.history(conn, self._run.id))

    async def save_history(self, messages: bytes, answers: int, usage: Mapping[str, Any]) -> None:
        """Store the messages before any call of the newest answer runs."""
        run = self._run
        await self._store.write(lambda tx: runs.save_history(tx, run.id, run.fence, messages, answers, usage))

    async def outcomes(self) -> Sequence[Outcome]:
        """Return what the ledger holds of this run, oldest first."""
        rows = await self._store.read(lambda conn: effects.of_run(conn, self._run.id))
        return [row.outcome() for row in rows]

    async def alive(self) -> None:
        """Do nothing while the run is ours. Raises RunStopped once it is not, or a person has cancelled it."""
        await self._store.write(lambda tx: runs.hold(tx, self._run.id, self._run.fence))
