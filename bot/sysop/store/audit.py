"""Read, verify and export the audit log. Appending is `Tx.audit`: it shares the transaction of what it records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select

from sysop.model import AuditEntry
from sysop.store import tables as t
from sysop.store.writer import GENESIS, entry_hash


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of the whole log found. `problem` names the first bad entry."""

    entries: int
    chains: int
    problem: str | None = None

    @property
    def ok(self) -> bool:
        """Tell whether every entry is as it was written."""
        return self.problem is None


def entries(
    conn: Connection, *, chain: str | None = None, kind: str | None = None, after: int = 0, limit: int = 100
) -> list[AuditEntry]:
    """Return entries in the order of their ids; `kind` matches a whole kind or the part before its dot."""
    query = select(t.audit).where(t.audit.c.id > after).order_by(t.audit.c.id).limit(limit)
    if chain:
        query = query.where(t.audit.c.chain == chain)
    if kind:
        query = query.where((t.audit.c.kind == kind) | t.audit.c.kind.startswith(f"{kind}.", autoescape=True))
    return [_entry(row) for row in conn.execute(query)]


def newest(conn: Connection, limit: int = 100) -> list[AuditEntry]:
    """Return the newest entries, oldest of them first."""
    rows = conn.execute(select(t.audit).order_by(t.audit.c.id.desc()).limit(limit)).all()
    return [_entry(row) for row in reversed(rows)]


def count(conn: Connection, chain: str | None = None) -> int:
    """Count the entries of the log or of one chain."""
    query = select(func.count()).select_from(t.audit)
    return conn.scalar(query.where(t.audit.c.chain == chain) if chain else query) or 0


def verify(conn: Connection) -> Verification:
    """Check every hash, every link and every column derived from a body. Reads the whole log as a stream.

    Within a chain this finds any altered, inserted or removed entry except at the chain's end; a removed tail or a
    removed chain leaves no trace that chains alone could show.
    """
    heads: dict[str, tuple[int, bytes]] = {}
    checked = 0
    # By chain position: on PostgreSQL two transactions may commit a chain's entries with ids out of order.
    ordered = select(t.audit).order_by(t.audit.c.chain, t.audit.c.seq)
    with conn.execution_options(yield_per=1000).execute(ordered) as rows:
        for row in rows:
            problem = _problem(row, heads)
            if problem:
                return Verification(checked, len(heads), f"entry {row.id} ({row.chain} #{row.seq}): {problem}")
            heads[row.chain] = (row.seq, bytes(row.hash))
            checked += 1
    return Verification(checked, len(heads))


def _problem(row: Row[Any], heads: dict[str, tuple[int, bytes]]) -> str | None:
    seq, head = heads.get(row.chain, (0, GENESIS))
    if row.seq != seq + 1:
        return f"entry {seq + 1} of the chain is missing"
    if bytes(row.prev) != head:
        return "it does not link to the entry before it"
    if bytes(row.hash) != entry_hash(bytes(row.prev), row.body.encode()):
        return "its body does not match its hash"
    try:
        body = json.loads(row.body, object_pairs_hook=_no_twins)
    except (ValueError, RecursionError) as bad:
        return f"its body is not acceptable JSON: {bad}"
    columns = {name: getattr(row, name) for name in ("chain", "seq", "kind", "actor", "ts")}
    wrong = [name for name, value in columns.items() if body.get(name) != value]
    return f"column {wrong[0]} does not match its body" if wrong else None


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def export(conn: Connection) -> Iterator[str]:
    """Yield every entry as a line of JSON: id, prev and hash in hex, and the body as the exact text that was hashed."""
    with conn.execution_options(yield_per=1000).execute(select(t.audit).order_by(t.audit.c.id)) as rows:
        for row in rows:
            line = {"id": row.id, "prev": bytes(row.prev).hex(), "hash": bytes(row.hash).hex(), "body": row.body}
            yield json.dumps(line, sort_keys=True, separators=(",", ":"))


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(row.id, row.chain, row.seq, row.kind, row.actor, row.ts, row.body, bytes(row.hash))
