"""The one door every surface uses: submit · decide · revoke · cancel · resolve · pause · resume."""

from __future__ import annotations

from collections.abc import Callable

from sysop.errors import InvalidRequest, NotAllowed
from sysop.gate import approvals as life
from sysop.gate.approvals import Counted
from sysop.gate.people import People
from sysop.gate.stopping import stop
from sysop.model import Actor, EffectState, Request
from sysop.redact import redact_value
from sysop.store import approvals, effects, feedback, mode, runs
from sysop.store.store import Store
from sysop.store.writer import Tx


class Service:
    """Turns what people and machines want into rows; the runner does the rest. Every method is durable on return."""

    def __init__(self, store: Store, people: People, planner_of: Callable[[Request], str]) -> None:
        self._store = store
        self._people = people
        self._planner_of = planner_of

    async def submit(self, request: Request, *, delivery: str | None = None) -> str:
        """Queue a run and return its id. `delivery` names the message; the same one twice is refused."""
        planner = self._planner_of(request)
        if redact_value(request.args) != dict(request.args):
            raise InvalidRequest("the arguments hold what looks like a credential; name a secret instead")

        def unit(tx: Tx) -> str | None:
            if delivery is not None and not approvals.first_delivery(tx, delivery):
                return None
            return runs.create(tx, request, planner)

        run = await self._store.write(unit)
        if run is None:
            raise InvalidRequest("this message was handled already")
        return run

    async def decide(
        self, approval: str, actor: Actor, approve: bool, reason: str = "", *, delivery: str, digest: str | None = None
    ) -> Counted:
        """Count one person's answer. `delivery` names the click, `digest` is what the person was shown, if known."""
        await self._know(actor, approval)
        return await self._store.write(
            lambda tx: life.vote(
                tx,
                approval,
                actor,
                approve,
                reason,
                delivery=delivery,
                digest=digest,
                roles_of=self._people.roles_of,
            )
        )

    async def revoke(self, approval: str, actor: Actor, reason: str = "") -> Counted:
        """Take an approval back before it is used."""
        await self._know(actor)
        return await self._store.write(lambda tx: life.revoke(tx, approval, actor, reason, self._people.roles_of))

    async def _know(self, actor: Actor, approval: str | None = None) -> None:
        """Make sure that what is known of everybody whose word counts is fresh."""
        voters: tuple[str, ...] = ()
        if approval is not None:
            votes = (await self._store.read(lambda conn: approvals.load(conn, approval))).votes
            voters = tuple(vote.approver for vote in votes)
        await self._people.refresh((actor.id, *voters))

    async def cancel(self, run_id: str, actor: Actor, reason: str = "") -> str:
        """Stop a run: at once if it waits, else at its next step. An effect under way is never killed midway."""
        await self._know(actor)

        def unit(tx: Tx) -> str:
            run = runs.lock(tx, run_id)
            if life.is_over(run):
                raise InvalidRequest(f"run {run_id} is {run.state} already")
            if actor.id not in run.requesters and not self._people.roles_of(actor.id):
                raise NotAllowed("only who asked, or a person with a role, can cancel a run")
            summary = f"cancelled by {actor.name}{f': {reason}' if reason else ''}"
            return "cancelled" if stop(tx, run, actor, reason, summary) else "stopping"

        return await self._store.write(unit)

    async def resolve(self, run: str, call: str, actor: Actor, done: bool, reason: str) -> None:
        """Say, as a person who has looked, whether an unknown effect happened. The run goes on with that."""

        def unit(tx: Tx) -> None:
            if not self._people.roles_of(actor.id):
                raise NotAllowed("only a person with a role can say what happened")
            state = EffectState.DONE if done else EffectState.FAILED
            error = None if done else f"it did not happen, says {actor.name}: {reason}"
            result = "null" if done else None
            values = {"error": error, "result": result, "finished_at": tx.now()}
            if not effects.move(tx, run, call, EffectState.UNKNOWN, state, **values):
                raise InvalidRequest(f"call {call!r} of run {run!r} is not unknown; see: sysop runs show {run}")
            tx.audit(run, "effect.resolved", actor.id, call=call, state=state, reason=reason)
            runs.wake(tx, run, f"unknown:{call}")

        await self._know(actor)
        await self._store.write(unit)

    async def feedback(self, run: str, actor: Actor, helpful: bool, text: str = "") -> None:
        """Store what a person thinks of a run's answer; the newest word of each counts."""

        def unit(tx: Tx) -> None:
            runs.lock(tx, run)
            feedback.give(tx, run, actor.id, helpful, text)

        await self._store.write(unit)

    async def pause(self, actor: Actor, reason: str) -> None:
        """Hold every new effect back, on all replicas, from this commit on. Anybody may."""
        await self._store.write(lambda tx: mode.write(tx, paused=True, by=actor.id, reason=reason))

    async def resume(self, actor: Actor, reason: str) -> None:
        """Let effects go on and wake what waited."""

        def unit(tx: Tx) -> None:
            if not (actor.human and self._people.roles_of(actor.id)):
                raise NotAllowed("only a person with a role can let changes go on")
            mode.write(tx, paused=False, by=actor.id, reason=reason)
            runs.wake_paused(tx)

        await self._know(actor)
        await self._store.write(unit)
