"""What the ledger says of one target: which change holds it now, and which have failed there lately."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from sysop.model import EffectState, Risk, RunState
from sysop.store import effects
from sysop.store import tables as t
from sysop.store.effects import IN_FLIGHT, Effect

_LIVE = (RunState.QUEUED, RunState.RUNNING, RunState.WAITING)
_CHANGES = (Risk.CHANGE, Risk.DESTRUCTIVE)
_LONGEST = 2 * 86_400_000
"""A change and its post-check end sooner than this after their row was written, in milliseconds."""


def key(target: str) -> str:
    """Return what two ways to write one target have in common: systems that tell case apart are rare, mistakes not."""
    return target.lower()


def holding(
    conn: Connection, target: str, environment: str, checked: Collection[str], now: int
) -> list[tuple[str, str, str]]:
    """Return (run, call, state) of changes that hold a target: begun, in doubt, or done and not verified yet.

    `checked` are the actions that have a post-check. A run that has ended verifies nothing any more, so that what it
    has done holds nothing either. The target written otherwise is looked for in its environment, among what is recent.
    """
    here = t.effect.c.target == target
    alike = and_(
        t.effect.c.environment == environment,
        t.effect.c.created_at > now - _LONGEST,
        t.effect.c.target != target,
        func.lower(t.effect.c.target) == key(target),
    )
    return [found for where in (here, alike) for found in _held(conn, where, checked)]


def _held(conn: Connection, where: ColumnElement[bool], checked: Collection[str]) -> list[tuple[str, str, str]]:
    unverified = and_(
        t.effect.c.state == EffectState.DONE,
        t.effect.c.verified.is_(None),
        t.effect.c.action.in_(tuple(checked)),
        t.run.c.state.in_(_LIVE),
    )
    rows = conn.execute(
        select(t.effect.c.run, t.effect.c.call, t.effect.c.state)
        .join(t.run, t.run.c.id == t.effect.c.run)
        .where(
            where,
            t.effect.c.risk.in_(_CHANGES),
            t.effect.c.state.in_((*IN_FLIGHT, EffectState.DONE)),
            or_(t.effect.c.state != EffectState.DONE, unverified),
        )
        .order_by(t.effect.c.created_at)
    )
    return [(row.run, row.call, str(row.state)) for row in rows]


def failed(conn: Connection, target: str, environment: str, since: int) -> list[Effect]:
    """Return the changes of a target that failed or did not help and ended since a time, oldest first.

    What was refused before it began has failed nothing.
    """
    ended = t.effect.c.finished_at > since
    bad = ((t.effect.c.state == EffectState.FAILED) & t.effect.c.started_at.is_not(None)) | t.effect.c.verified.is_(
        False
    )
    mine = and_(
        t.effect.c.environment == environment,
        t.effect.c.risk.in_(_CHANGES),
        t.effect.c.created_at > since - _LONGEST,
        _alike(target),
        ended,
        bad,
    )
    rows = conn.execute(select(t.effect.c.run, t.effect.c.call).where(mine).order_by(t.effect.c.finished_at))
    found = [effects.find(conn, row.run, row.call) for row in rows]
    return [one for one in found if one is not None]


def _alike(target: str) -> ColumnElement[bool]:
    """Return the condition that a row's target is this one, however it is written.

    The databases' own `lower` may leave other letters than ASCII alone, so the exact text counts as well.
    """
    return or_(t.effect.c.target == target, func.lower(t.effect.c.target) == key(target))
