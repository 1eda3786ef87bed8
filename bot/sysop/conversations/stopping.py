"""Stop what a conversation has under way, and say what was done by then and what was not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sysop.errors import NotAllowed
from sysop.gate import approvals as life
from sysop.gate.stopping import may_stop, stop
from sysop.model import Actor, Run, RunState
from sysop.runner.memory import account
from sysop.store import approvals, conversations, effects, runs
from sysop.store.conversations import Conversation
from sysop.store.writer import Tx

RolesOf = Callable[[str], frozenset[str]]

NOTHING = "Nothing is under way here."


@dataclass(frozen=True, slots=True)
class Stopped:
    """What became of a wish to stop: runs that ended at once, runs that end at their next step, and what to tell.

    `refused` tells that something is under way which this person may not stop.
    """

    ended: tuple[str, ...] = ()
    stopping: tuple[str, ...] = ()
    refused: bool = False
    text: str = NOTHING


def stop_all(tx: Tx, talk: Conversation, actor: Actor, roles_of: RolesOf) -> Stopped:
    """Stop every run of a locked conversation that this person may stop; what waits for the stopped run is let go.

    An effect under way is never killed midway. Asked again, it changes nothing.
    """
    live = [runs.lock(tx, run.id) for run in conversations.under_way(tx.conn, talk.id)]
    mine = [run for run in live if not run.over and may_stop(run, actor, roles_of(actor.id))]
    told = [_stop(tx, run, actor) for run in mine]
    refused = [run.id for run in live if run not in mine]
    told += _let_go(tx, talk, None if mine and not refused else actor)
    told += [f"{id} goes on: only who asked, or a person with a role, can stop it." for id in refused]
    at_once = [run.id for run in mine if run.state is not RunState.RUNNING]
    return Stopped(
        ended=tuple(at_once),
        stopping=tuple(run.id for run in mine if run.id not in at_once),
        refused=bool(refused),
        text="\n".join(told) or NOTHING,
    )


def _stop(tx: Tx, run: Run, actor: Actor) -> str:
    left = account(effects.of_run(tx.conn, run.id), approvals.open_of_run(tx.conn, run.id))
    if stop(tx, run, actor, "stopped in the conversation", f"stopped by {actor.name}. {left}"):
        return f"{run.id} is stopped. {left}"
    return f"{run.id} stops at its next step. Until now: {left}"


def _let_go(tx: Tx, talk: Conversation, only: Actor | None) -> list[str]:
    """Let go of what waits for a run, of one person's own words where they have not stopped everything."""
    queued = conversations.queued(tx.conn, talk.id)
    waiting = [turn.ts for turn in queued if only is None or turn.actor == only.id]
    conversations.settle(tx, talk.id, waiting, "answered", None)
    return [f"What was said meanwhile is let go, too ({len(waiting)})."] if waiting else []


def withdraw(tx: Tx, run: Run, actor: Actor, roles_of: RolesOf) -> tuple[list[str], list[str]]:
    """Revoke what a locked run waits for, on behalf of a person; return what was revoked and why the rest was not."""
    done: list[str] = []
    refused: list[str] = []
    for id in runs.awaited(tx.conn, run.id):
        try:
            counted = life.revoke(tx, id, actor, "withdrawn in the conversation", roles_of)
        except NotAllowed as no:
            refused.append(f"{id}: {no}")
        else:
            (done if counted.counted else refused).append(f"{id} is {counted.state}")
    return done, refused
