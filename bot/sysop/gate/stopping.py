"""Stop a run because a person says so: at once if it waits, else at its next step. Nothing is killed midway."""

from __future__ import annotations

from collections.abc import Collection

from sysop.gate.effect import close_open
from sysop.model import Actor, Run, RunState
from sysop.store import runs
from sysop.store.writer import Tx


def may_stop(run: Run, actor: Actor, roles: Collection[str]) -> bool:
    """Tell whether somebody may end a run: who asked for it may, and whoever holds a role now."""
    return bool(roles) or any(id in run.requesters for id in actor.ids)


def stop(tx: Tx, run: Run, actor: Actor, why: str, summary: str) -> bool:
    """Stop a locked run that has not ended. Returns whether it ended at once; asked again, it changes nothing."""
    again = runs.asked_to_stop(tx.conn, run.id)
    if runs.ask_to_stop(tx, run.id, actor.id):
        if not again:
            tx.audit(runs.chain(run.id), "run.cancel_requested", actor.id, reason=why)
        return False
    close_open(tx, run.id, "the run was stopped")
    runs.end(tx, run.id, RunState.CANCELLED, {"summary": summary, "resolved": False}, actor.id)
    return True
