"""Silences: what a person with a role wants quiet for a while, whether it fires already or is about to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection

from sysop.errors import InvalidRequest, NotAllowed
from sysop.extension import SilenceMirror
from sysop.gate.stopping import stop
from sysop.incidents.silencing import Wish
from sysop.model import Actor, EffectState, Origin, Request, Run, RunState, new_id
from sysop.store import effects, incidents, runs, silences
from sysop.store.silences import Silence
from sysop.store.store import Store
from sysop.store.writer import Tx

SERVICE = Actor("service:alerts")
_CALL = "call"  # the one call of a run that is asked for one action
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Mirrored:
    """How far a silence is known elsewhere. `words` say it in one sentence; `run` is who tells it there."""

    state: Literal["nowhere", "begins", "waits", "set", "ended", "not set"]
    words: str
    run: str | None = None


class Silences:
    """Sets, ends and lets run out silences. Every method is durable on return.

    With a mirror each is a run besides that sets it there, through the gate: what policy says of that run changes
    nothing about the silence here.
    """

    def __init__(self, store: Store, mirror: SilenceMirror | None, planner_of: Callable[[Request], str]) -> None:
        self._store = store
        self._mirror = mirror
        self._planner_of = planner_of

    async def add(self, actor: Actor, wish: Wish, *, delivery: str | None = None) -> Silence:
        """Silence alerts. Raises NotAllowed without a role; the same `delivery` again returns the silence it made.

        What is in an incident already stays there; what would come into one while the silence holds is held back, and
        placed when the silence ends if it fires still.
        """
        if not actor.roles:
            raise NotAllowed("only a person with a role can silence alerts; nothing was done")
        wish.check()
        id = new_id("sil") if delivery is None else f"sil-{hashlib.sha256(delivery.encode()).hexdigest()[:16]}"

        def unit(tx: Tx) -> Silence:
            incidents.lock(tx)
            return silences.find(tx.conn, id) or self._add(tx, id, actor, wish)

        return await self._store.write(unit)

    def _add(self, tx: Tx, id: str, actor: Actor, wish: Wish) -> Silence:
        now = tx.now()
        begins = now + wish.in_seconds * 1000
        ends, comment = begins + wish.seconds * 1000, wish.comment.strip()
        made = Silence(id, wish.matchers, begins, ends, comment, actor.id, now)
        run = self._tell(tx, _place(id), actor, self._mirror.silence, _wanted(made, actor)) if self._mirror else None
        silences.add(tx, made, run)
        facts: dict[str, Any] = {"matchers": [str(one) for one in made.matchers], "comment": comment, "run": run}
        tx.audit(silences.chain(id), "silence.added", actor.id, starts_at=begins, ends_at=ends, **facts)
        return silences.load(tx.conn, id)

    async def end(self, id: str, actor: Actor) -> Silence:
        """End a silence now; what it covered and fires still is placed. Raises InvalidRequest for one that is over.

        Raises NotAllowed without a role.
        """
        if not actor.roles:
            raise NotAllowed("only a person with a role can end a silence; nothing was done")

        def unit(tx: Tx) -> Silence:
            incidents.lock(tx)
            found, now = silences.load(tx.conn, id), tx.now()
            if found.ends_at <= now:
                raise InvalidRequest(f"silence {id} is over already")
            silences.change(tx, id, ends_at=now, starts_at=min(found.starts_at, now), ended_by=actor.id)
            tx.audit(silences.chain(id), "silence.ended", actor.id, released=silences.release(tx, id))
            self._take_back(tx, found, actor)
            return silences.load(tx.conn, id)

        return await self._store.write(unit)

    async def tick(self) -> None:
        """Let go of the alerts of silences that have run out, and end elsewhere what was set there too late."""
        if not any(await self._store.read(lambda conn: (silences.over(conn), self._left_behind(conn)))):
            return

        def unit(tx: Tx) -> None:
            incidents.lock(tx)
            for id in silences.over(tx.conn):
                tx.audit(silences.chain(id), "silence.over", SERVICE.id, released=silences.release(tx, id))
            for one, run in self._left_behind(tx.conn):
                self._take_back(tx, one, Actor(one.ended_by or SERVICE.id, frozenset(run.roles)))

        await self._store.write(unit)

    def _left_behind(self, conn: Connection) -> list[tuple[Silence, Run]]:
        """Return silences that were ended while a run set them elsewhere, with that run."""
        found = silences.left_behind(conn, _CALL, _AT_ONCE) if self._mirror else []
        return [(one, runs.load(conn, one.run)) for one in found if one.run is not None]

    def mirrored(self, conn: Connection, silence: Silence) -> Mirrored:
        """Return how far the mirror has it."""
        where = self._mirror.name if self._mirror else "elsewhere"
        if silence.run is None:
            return Mirrored("nowhere", "it holds in Sysop only")
        run = runs.load(conn, silence.run)
        row = effects.find(conn, run.id, _CALL)
        state = row.state if row is not None else None
        if run.place == _place(silence.id, "end"):
            return _ended(run, state, where)
        if state is EffectState.DONE:
            return Mirrored("set", f"{where} has it, too", run.id)
        if not run.over:
            return _under_way(run, f"{where} is told of it by run {run.id}")
        return Mirrored("not set", f"{where} does not have it: {_summary(run)}", run.id)

    # -- elsewhere ----------------------------------------------------------------------------------------------------

    def _tell(self, tx: Tx, place: str, actor: Actor, action: str, args: Mapping[str, Any]) -> str:
        request = Request(actor, Origin.ASKED, place, action=action, args=args)
        return runs.create(tx, request, self._planner_of(request))

    def _take_back(self, tx: Tx, silence: Silence, actor: Actor) -> None:
        """End a silence elsewhere: stop the run that would set it, or begin one that ends it."""
        if silence.run is None or self._mirror is None:
            return
        run = runs.lock(tx, silence.run)
        if not run.over:
            stop(tx, run, actor, "the silence was ended", "stopped: the silence was ended")
        row = effects.find(tx.conn, run.id, _CALL)
        if row is not None and row.state is EffectState.DONE and run.place == _place(silence.id):
            args = {"silence": silence.id}
            ending = self._tell(tx, _place(silence.id, "end"), actor, self._mirror.unsilence, args)
            silences.change(tx, silence.id, run=ending)


def _place(silence: str, what: str = "") -> str:
    return f"silence:{silence}{f':{what}' if what else ''}"


def _wanted(silence: Silence, actor: Actor) -> dict[str, Any]:
    """Return a silence as the arguments of a mirror's action."""
    return {
        "conditions": [{"label": one.name, "operator": one.operator, "value": one.value} for one in silence.matchers],
        "starts_at": _iso(silence.starts_at),
        "ends_at": _iso(silence.ends_at),
        "comment": f"{silence.comment} ({actor.name})",
        "mark": silence.id,
    }


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


def _ended(run: Run, state: EffectState | None, where: str) -> Mirrored:
    if state is EffectState.DONE:
        return Mirrored("ended", f"{where} has ended it, too", run.id)
    if not run.over:
        return _under_way(run, f"run {run.id} ends it in {where}")
    return Mirrored("set", f"{where} still has it: {_summary(run)}", run.id)


def _under_way(run: Run, words: str) -> Mirrored:
    """Return how a run stands that has not ended: on its way, or waiting for something that may take long."""
    waits = (run.waiting_for or "").split(" ")[0]
    if not waits or run.state is not RunState.WAITING:
        return Mirrored("begins", words, run.id)
    kind, _, id = waits.partition(":")
    what = {"approval": f"approval {id}", "pause": "changes to go on", "unknown": "a person to say what happened"}
    return Mirrored("waits" if kind in what else "begins", f"{words}, which waits for {what.get(kind, waits)}", run.id)


def _summary(run: Run) -> str:
    return str((run.conclusion or {}).get("summary") or run.state)
