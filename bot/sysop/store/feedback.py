"""What people thought of an answer: one row a person and run, the newest word counts."""

from __future__ import annotations

from sqlalchemy import delete, insert

from sysop.store import tables as t
from sysop.store.writer import Tx


def give(tx: Tx, run: str, actor: str, helpful: bool, text: str = "") -> None:
    """Store one person's opinion of a run's answer, with its audit entry."""
    mine = (t.feedback.c.run == run) & (t.feedback.c.actor == actor)
    tx.conn.execute(delete(t.feedback).where(mine))
    values = {"run": run, "actor": actor, "helpful": helpful, "text": text}
    tx.conn.execute(insert(t.feedback).values(**values, at=tx.now()))
    tx.audit(run, "run.feedback", actor, helpful=helpful, text=text)
