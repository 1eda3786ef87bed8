"""`advance(run_id)`: the only job that runs calls. May be called again at any time, from anywhere; never sleeps."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection

from sysop.actions import Action
from sysop.errors import LeaseLost, Parked, ReplayMismatch, RunCancelled, StoreError
from sysop.extension import Planner
from sysop.gate import approvals as life
from sysop.gate.desk import Probe
from sysop.gate.effect import close_open
from sysop.gate.gate import Gate
from sysop.host import Host
from sysop.incidents import changed
from sysop.inventory import Inventory
from sysop.knowledge.memory.recollection import Recollection
from sysop.model import ApprovalState, Conclusion, Run, RunState, new_id
from sysop.runner.bounds import bounded
from sysop.runner.memory import account
from sysop.runner.recalled import Past
from sysop.runner.toolbox import RunToolbox
from sysop.store import approvals, effects, incidents, runs
from sysop.store.bygone import shown_as
from sysop.store.recalled import told_by
from sysop.store.store import Store
from sysop.store.writer import Tx

log = logging.getLogger(__name__)

RUNNER = "service:runner"


class Door(RunToolbox):
    """The planner's door for one that keeps calls over a restart, in which the plugin behind an action may change."""

    def __init__(self, run: Run, gate: Gate, host: Host, inventory: Inventory, store: Store, past: Past) -> None:
        super().__init__(run, gate, host, inventory, store, past)
        self._actions = host.actions

    def releases(self) -> Mapping[str, str]:
        """Return which release of which plugin each action is from; equal texts mean the same contract."""
        return {name: _release(action) for name, action in self._actions.items()}

    async def drop(self, call: str, reason: str) -> None:
        """Close what people are still asked about a call that is not made any more."""

        def unit(tx: Tx) -> None:
            runs.hold(tx, self._run.id, self._run.fence)
            for approval in approvals.open_of_run(tx.conn, self._run.id):
                if approval.call == call:
                    life.close(tx, approval, ApprovalState.VOID, RUNNER, reason)

        await self._store.write(unit)


def _release(action: Action) -> str:
    """Return plugin, version and a digest of the contract: a plugin in one file has no version to raise."""
    contract = [action.risk, action.target, action.idempotent, action.parameters.model_json_schema()]
    digest = hashlib.sha256(json.dumps(contract, sort_keys=True).encode()).hexdigest()
    return f"{action.plugin} {action.version} ({digest[:8]})"


class Advance:
    """Claims one run, lets its planner work until it concludes or must wait, and lets go of it."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        host: Host,
        inventory: Inventory,
        planner: Callable[[str], Planner],
        worker: str,
        probe: Probe,
    ) -> None:
        self._store = store
        self._gate = gate
        self._host = host
        self._inventory = inventory
        self._planner = planner
        self._worker = worker
        self._probe = probe
        self._past = Past(store, Recollection(store), inventory.services)

    async def __call__(self, run_id: str) -> None:
        """Advance a run; nothing happens if it is not due or another worker has it. Raises StoreError only."""
        run = await self._store.write(lambda tx: runs.claim(tx, run_id, self._worker))
        if run is None:
            return
        self._probe("claimed")
        beat = asyncio.create_task(self._beat(run), name=f"beat {run_id}")
        try:
            await self._carry(run)
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)

    async def _beat(self, run: Run) -> None:
        """Renew the lease while an action or a model takes its time: only a stopped process loses its runs."""
        while True:
            await asyncio.sleep(runs.LEASE_MS / 3000)
            try:
                await self._store.write(lambda tx: runs.hold(tx, run.id, run.fence, even_if_cancelled=True))
            except LeaseLost:
                return  # the next transaction of the work itself finds out and stops it
            except StoreError:
                log.warning("the lease of run %s could not be renewed", run.id, exc_info=True)

    async def _carry(self, run: Run) -> None:
        if run.attempt > runs.CRASHES:
            text = f"stopped: the process that worked on it died {runs.CRASHES} times in a row"
            await self._finish(run, RunState.FAILED, Conclusion(text, resolved=False, escalate=text))
            return
        try:
            await self._work(run)
        except LeaseLost:
            log.info("run %s was taken over", run.id)
        except RunCancelled:
            await self._finish(run, RunState.CANCELLED, await self._stopped(run))
        except StoreError:
            raise
        except ReplayMismatch as broken:
            await self._finish(run, RunState.FAILED, Conclusion(f"stopped: {broken}", resolved=False))
        except Exception:  # a planner may fail in any way; the run must still end
            reference = new_id("err")
            log.exception("run %s failed, reference %s", run.id, reference)
            text = f"stopped by an internal error, reference {reference} in the log"
            await self._finish(run, RunState.FAILED, Conclusion(text, resolved=False, escalate=text))

    async def _work(self, run: Run) -> None:
        toolbox = Door(run, self._gate, self._host, self._inventory, self._store, self._past)
        incident = await self._incident(run)
        try:
            conclusion = await self._planner(run.planner).plan(run, incident, toolbox)
        except Parked as wait:
            await self._park(run, wait)
            return
        await self._finish(run, RunState.DONE, await self._checked(run, conclusion))

    async def _incident(self, run: Run) -> Mapping[str, Any] | None:
        """Return the incident as the run saw it first."""
        if run.incident is None:
            return None
        if "incident" in run.request:
            return dict(run.request["incident"])
        wanted = run.incident
        seen = await self._store.read(lambda conn: self._seen(conn, wanted))
        await self._store.write(lambda tx: runs.snapshot(tx, run.id, run.fence, seen))
        return seen

    def _seen(self, conn: Connection, wanted: str) -> Mapping[str, Any]:
        found = incidents.load(conn, wanted)
        known = changed.before(conn, found, self._inventory)
        return {**incidents.as_json(found), "changed_before": changed.as_json(known, changed.begin_of(found))}

    async def _park(self, run: Run, wait: Parked) -> None:
        def unit(tx: Tx) -> None:
            runs.park(tx, run.id, run.fence, wait.waiting_for, wait.wake_at)

        try:
            await self._store.write(unit)
        except LeaseLost:
            log.info("run %s was taken over", run.id)
        self._probe("parked")

    async def _finish(self, run: Run, state: RunState, conclusion: Conclusion) -> None:
        def unit(tx: Tx) -> None:
            runs.hold(tx, run.id, run.fence, even_if_cancelled=True)
            close_open(tx, run.id, "the run has ended")
            runs.end(tx, run.id, state, asdict(bounded(conclusion)), RUNNER)

        self._probe("concluded")
        try:
            await self._store.write(unit)
        except LeaseLost:
            log.info("run %s was taken over", run.id)
        self._probe("finished")

    async def _stopped(self, run: Run) -> Conclusion:
        """Return how a run ends that a person has stopped: with what was done by then and what was not."""
        rows, asked = await self._store.read(
            lambda conn: (effects.of_run(conn, run.id), approvals.open_of_run(conn, run.id))
        )
        return Conclusion(f"cancelled while it was running. {account(rows, asked)}", resolved=False)

    async def _checked(self, run: Run, conclusion: Conclusion) -> Conclusion:
        """Return the conclusion with every claim whose evidence is not in this run's ledger moved out of the claims.

        A past incident that the run has told people of may be cited as well.
        """
        rows = await self._store.read(lambda conn: effects.of_run(conn, run.id))
        told = await self._store.read(lambda conn: told_by(conn, run.id))
        known = {*(row.outcome().evidence for row in rows), *map(shown_as, told)}
        carried = [claim for claim in conclusion.claims if claim.evidence and set(claim.evidence) <= known]
        loose = [f"no evidence: {claim.text}" for claim in conclusion.claims if claim not in carried]
        return replace(conclusion, claims=carried, not_checked=[*conclusion.not_checked, *loose])
