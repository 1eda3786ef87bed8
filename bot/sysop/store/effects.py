"""The effect ledger: one row per call, written before and after each effect."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from sysop.model import EffectState, Outcome, Risk
from sysop.store import tables as t
from sysop.store.writer import Tx

IN_FLIGHT = (EffectState.INTENT, EffectState.EXECUTING, EffectState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Effect:
    """A ledger row. `args` are the bound canonical bytes, `precondition` the bound reading."""

    run: str
    call: str
    action: str
    risk: Risk
    plugin_version: str
    args: str
    call_digest: str
    target: str
    environment: str
    state: EffectState
    idem_key: str
    approval: str | None
    precondition: str | None
    result: str | None
    error: str | None
    verified: bool | None
    verification: str | None
    created_at: int
    started_at: int | None
    finished_at: int | None

    def outcome(self) -> Outcome:
        """Return what a planner may see of the row."""
        return Outcome(
            run=self.run,
            call=self.call,
            action=self.action,
            risk=self.risk,
            state=self.state,
            result=json.loads(self.result) if self.result is not None else None,
            error=self.error,
            verified=self.verified,
            verification=self.verification,
            at=self.finished_at or self.created_at,
        )


_COLUMNS = tuple(Effect.__dataclass_fields__)


def _effect(row: Row[Any]) -> Effect:
    values = {name: getattr(row, name) for name in _COLUMNS}
    values["risk"], values["state"] = Risk(row.risk), EffectState(row.state)
    return Effect(**values)


def find(conn: Connection, run: str, call: str) -> Effect | None:
    """Return the row of a call, if any."""
    row = conn.execute(select(t.effect).where(t.effect.c.run == run, t.effect.c.call == call)).first()
    return _effect(row) if row else None


def of_run(conn: Connection, run: str) -> list[Effect]:
    """Return a run's rows in the order they were written."""
    rows = conn.execute(select(t.effect).where(t.effect.c.run == run).order_by(t.effect.c.created_at, t.effect.c.call))
    return [_effect(row) for row in rows]


def polls(conn: Connection, run: str, prefix: str) -> list[Effect]:
    """Return the rows whose call id starts with `prefix` and a number, in order."""
    rows = conn.execute(
        select(t.effect).where(t.effect.c.run == run, t.effect.c.call.startswith(prefix, autoescape=True))
    )
    numbered = [_effect(row) for row in rows if row.call[len(prefix) :].isdigit()]
    return sorted(numbered, key=lambda effect: int(effect.call[len(prefix) :]))


def add(tx: Tx, **values: Any) -> None:
    """Insert a row. (run, call), the idempotency key and the approval are unique."""
    tx.conn.execute(insert(t.effect).values(**values))


def move(tx: Tx, run: str, call: str, was: EffectState, to: EffectState, **values: Any) -> bool:
    """Change a row's state by compare-and-set; False when it was in another state."""
    row = (t.effect.c.run == run) & (t.effect.c.call == call) & (t.effect.c.state == was)
    return bool(tx.conn.execute(update(t.effect).where(row).values(state=to, **values)).rowcount)


def set_verified(tx: Tx, run: str, call: str, verified: bool, verification: str) -> None:
    """Store the answer of the post-check."""
    row = (t.effect.c.run == run) & (t.effect.c.call == call)
    tx.conn.execute(update(t.effect).where(row).values(verified=verified, verification=verification))


def started_since(conn: Connection, environment: str, risk: Risk, since: int) -> int:
    """Count the effects of a class in an environment since a time; a crash cannot reset it."""
    rows = select(func.count()).select_from(t.effect)
    mine = (t.effect.c.environment == environment) & (t.effect.c.risk == risk) & (t.effect.c.created_at > since)
    return conn.scalar(rows.where(mine)) or 0


def in_flight(conn: Connection, target: str) -> list[tuple[str, str, str]]:
    """Return (run, call, state) of changes to a target that have begun or may have."""
    mine = (t.effect.c.target == target) & (t.effect.c.risk != Risk.READ) & t.effect.c.state.in_(IN_FLIGHT)
    rows = conn.execute(select(t.effect.c.run, t.effect.c.call, t.effect.c.state).where(mine))
    return [(row.run, row.call, row.state) for row in rows]


def unfinished(conn: Connection, run: str) -> list[Effect]:
    """Return a run's rows that have no outcome yet."""
    open_ = t.effect.c.state.in_((EffectState.INTENT, EffectState.EXECUTING))
    return [_effect(row) for row in conn.execute(select(t.effect).where(t.effect.c.run == run, open_))]
