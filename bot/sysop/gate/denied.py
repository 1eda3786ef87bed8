"""A no holds for a while: what alerts alone have begun does not ask people again for what they denied a moment ago."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from sysop.gate.bind import Bound
from sysop.model import Decision, Origin, Risk, Run, Verdict
from sysop.store import approvals

RULE: Final = "denied before"


def standing(conn: Connection, run: Run, bound: Bound, now: int) -> Decision | None:
    """Forbid a change that people denied to a run of the same incident in the last hour; None where nothing stands.

    A run that people have a say in may ask for it again, since it is they who have changed their mind. So may the same
    call of the same run, which is answered by its own approval.
    """
    if bound.action.risk is Risk.READ or run.incident is None or not _by_alerts_alone(run):
        return None
    if approvals.newest_for(conn, run.id, bound.call.id) is not None:
        return None
    same = {
        "action": bound.action.name,
        "args": bound.canonical,
        "target": bound.target,
        "environment": bound.environment,
    }
    no = approvals.denial(conn, run.incident, now - approvals.DENIAL_HOLDS_MS, same)
    if no is None:
        return None
    minutes = max(0, now - no.at) // 60_000
    when = f"{minutes} minute{'s' if minutes != 1 else ''} ago" if minutes else "a moment ago"
    why = f": {no.reason}" if no.reason else ""
    return Decision(Verdict.FORBID, RULE, f"{no.approver.partition(':')[2]} denied it for this incident {when}{why}")


def _by_alerts_alone(run: Run) -> bool:
    return run.origin is Origin.ALERT and all(who.startswith("service:") for who in run.requesters)
