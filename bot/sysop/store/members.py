"""Who people are on a chat surface, as it said a moment ago: human or not, and which roles that gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from sysop.store import tables as t
from sysop.store.rows import upsert
from sysop.store.writer import Tx


@dataclass(frozen=True, slots=True)
class Member:
    """One account, such as `slack:TEAM.USER`. `actor` is who it acts as: a person of the settings, or itself.

    `checked_at` is when the surface was asked last; after a minute the row proves nothing any more.
    """

    id: str
    actor: str
    name: str
    human: bool
    roles: tuple[str, ...]
    checked_at: int
    seen_at: int | None = None


def save(tx: Tx, id: str, *, actor: str, name: str, human: bool, roles: tuple[str, ...]) -> None:
    """Store what the surface has just said of an account."""
    facts = {"actor": actor, "name": name, "human": human, "roles": sorted(roles), "checked_at": tx.now()}
    upsert(tx, t.member, {"id": id}, facts)


def get(conn: Connection, id: str) -> Member | None:
    """Return an account, if it was ever asked about."""
    row = conn.execute(select(t.member).where(t.member.c.id == id)).first()
    return _member(row) if row else None


def everybody(conn: Connection) -> list[Member]:
    """Return every account by id."""
    return [_member(row) for row in conn.execute(select(t.member).order_by(t.member.c.id))]


def seen(tx: Tx, id: str) -> None:
    """Note that somebody has just opened a page of ours that should be kept fresh."""
    tx.conn.execute(update(t.member).where(t.member.c.id == id).values(seen_at=tx.now()))


def seen_since(conn: Connection, since: int) -> list[Member]:
    """Return the accounts that opened such a page since a time."""
    return [_member(row) for row in conn.execute(select(t.member).where(t.member.c.seen_at >= since))]


def _member(row: Row[Any]) -> Member:
    return Member(row.id, row.actor, row.name, row.human, tuple(row.roles), row.checked_at, row.seen_at)
