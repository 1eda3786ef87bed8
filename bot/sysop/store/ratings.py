"""What people thought of a page or a past incident that was shown to them. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, func, insert, select

from sysop.store import tables as t
from sysop.store.notes import pieces
from sysop.store.writer import Tx

Verdict = Literal["helpful", "wrong"]


@dataclass(frozen=True, slots=True)
class Rated:
    """How many people found something helpful, and how many wrong, each counted once however often they said so."""

    helpful: int = 0
    wrong: int = 0


def give(tx: Tx, chain: str, subject: str, shown: str, verdict: Verdict, actor: str, note: str) -> None:
    """Insert one person's word on what was shown for an incident or a run, with its audit entry in that one's chain.

    Of several words of one person on the same thing, shown for the same incident or run, the newest counts.
    """
    values = {"subject": subject, "shown": shown, "verdict": verdict, "note": note, "actor": actor}
    tx.conn.execute(insert(t.rating).values(**values, at=tx.now()))
    noun = "incident" if chain.startswith("incident:") else "run"
    tx.audit(chain, f"{noun}.rated", actor, shown=shown, verdict=verdict, note=note)


def newest(conn: Connection, subject: str, shown: str, actor: str) -> tuple[Verdict, str] | None:
    """Return what one person has said last on what was shown for an incident or a run, with the note; None so far."""
    c = t.rating.c
    mine = (c.subject == subject) & (c.shown == shown) & (c.actor == actor)
    row = conn.execute(select(c.verdict, c.note).where(mine).order_by(c.id.desc()).limit(1)).first()
    return (row.verdict, row.note) if row else None


def counted(conn: Connection, shown: Iterable[str]) -> dict[str, Rated]:
    """Return what people think of each of these; those that nobody has rated are left out."""
    c = t.rating.c
    voices: dict[str, dict[str, set[str]]] = {}
    for piece in pieces(shown):
        newest = select(func.max(c.id)).where(c.shown.in_(piece)).group_by(c.shown, c.subject, c.actor)
        for row in conn.execute(select(c.shown, c.verdict, c.actor).where(c.id.in_(newest))):
            voices.setdefault(row.shown, {}).setdefault(row.verdict, set()).add(row.actor)
    return {id: Rated(len(said.get("helpful", ())), len(said.get("wrong", ()))) for id, said in sorted(voices.items())}
