"""The planner's door, for one claim of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from sysop.extension import Earlier, Remembered, Standing, Tool
from sysop.gate.gate import Gate
from sysop.host import Host
from sysop.inventory import Inventory
from sysop.model import Call, Outcome, Risk, Run
from sysop.runner import memory
from sysop.runner.recalled import Past
from sysop.store import conversations, effects, incidents, runs
from sysop.store.conversations import Turn
from sysop.store.recalled import is_told
from sysop.store.store import Store
from sysop.store.writer import Tx


class RunToolbox:
    """Binds every call, word and memory to a run and its fence."""

    def __init__(self, run: Run, gate: Gate, host: Host, inventory: Inventory, store: Store, past: Past) -> None:
        self._run = run
        self._gate = gate
        self._store = store
        self._past = past
        self._tools = {
            action.name: Tool(action.name, action.summary, action.risk, action.schema(inventory))
            for action in host.actions.values()
            if action.risk is Risk.READ or not run.read_only
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
        run = self._run

        def unit(tx: Tx) -> None:
            runs.say(tx, run.id, run.fence, id, text)
            if is_told(id) and run.incident is not None:
                tx.touch(incidents.chain(run.incident))  # its card shows what is remembered

        await self._store.write(unit)

    async def remember(self, plan: Mapping[str, Any]) -> None:
        """Store the plan."""
        await self._store.write(lambda tx: runs.remember(tx, self._run.id, self._run.fence, plan))

    async def now(self) -> int:
        """Return the database's time."""
        return await self._store.now()

    async def history(self) -> tuple[bytes | None, int, Mapping[str, Any]]:
        """Return the stored messages, the number of model answers so far and the usage."""
        return await self._store.read(lambda conn: runs.history(conn, self._run.id))

    async def earlier(self) -> Sequence[Earlier]:
        """Return what the conversation holds from before this run; whoever asked then asks for this run, too."""
        before = await self._store.read(lambda conn: memory.earlier(conn, self._run))
        new = [one for one in before if not set(_people(one.requesters)) <= set(self._run.requesters)]
        if new and not self._run.read_only:
            run = self._run

            def unit(tx: Tx) -> Run:
                runs.hold(tx, run.id, run.fence)
                for one in new:
                    runs.join(tx, run.id, _people(one.requesters), one.text)
                return runs.load(tx.conn, run.id)

            self._run = await self._store.write(unit)
        return before

    async def recalled(self) -> Sequence[Remembered]:
        """Return past incidents like the run's, or like what it was asked."""
        return await self._past.recalled(self._run)

    async def standing(self) -> Standing:
        """Return what is open now."""
        return await self._store.read(memory.standing)

    async def heard(self) -> Sequence[Turn]:
        """Return what people have said to this run and it has not taken up yet, in the order it was said."""
        return await self._store.read(self._heard)

    def _heard(self, conn: Connection) -> list[Turn]:
        talk = conversations.of_run(conn, self._run.id)
        return conversations.queued(conn, talk.id) if talk is not None and talk.run == self._run.id else []

    async def save_history(
        self, messages: bytes, answers: int, usage: Mapping[str, Any], taken: Sequence[str] = ()
    ) -> None:
        """Store the messages before any call of the newest answer runs; `taken` names what people said that is new.

        Who said it becomes a requester in the same transaction, and every later call is judged as theirs, too.
        """
        run = self._run

        def unit(tx: Tx) -> Run:
            runs.save_history(tx, run.id, run.fence, messages, answers, usage)
            if taken:
                conversations.take(tx, run, taken)
            return runs.load(tx.conn, run.id) if taken else run

        self._run = await self._store.write(unit)

    async def put_back(self, unheard: Sequence[str], plan: Mapping[str, Any] | None = None) -> None:
        """Let what people said wait again for a run that answers it; in the same transaction store a plan, if any."""
        run = self._run

        def unit(tx: Tx) -> None:
            runs.hold(tx, run.id, run.fence)
            if plan is not None:
                runs.remember(tx, run.id, run.fence, plan)
            if unheard:
                conversations.put_back(tx, run, unheard)

        await self._store.write(unit)

    async def outcomes(self) -> Sequence[Outcome]:
        """Return what the ledger holds of this run, oldest first."""
        rows = await self._store.read(lambda conn: effects.of_run(conn, self._run.id))
        return [row.outcome() for row in rows]

    async def alive(self) -> None:
        """Do nothing while the run is ours. Raises RunStopped once it is not, or a person has cancelled it."""
        await self._store.write(lambda tx: runs.hold(tx, self._run.id, self._run.fence))


def _people(requesters: Sequence[str]) -> tuple[str, ...]:
    return tuple(one for one in requesters if not one.startswith("service:"))
