"""What people wrote about past incidents: reports, corrections, and whether to forget one. Rows are only ever added."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, Select, func, insert, select

from sysop.redact import redact_value
from sysop.store import incidents
from sysop.store import tables as t
from sysop.store.writer import Tx

Kind = Literal["report", "correction", "forget", "remember"]
_SAID: Final[Mapping[Kind, str]] = {
    "report": "incident.report_written",
    "correction": "incident.corrected",
    "forget": "incident.forgotten",
    "remember": "incident.remembered",
}
_WHETHER: Final = ("forget", "remember")
_PIECE: Final = 500


@dataclass(frozen=True, slots=True)
class Note:
    """What one person wrote about an incident; of a `forget` or `remember` it is the reason, which may be empty."""

    id: int
    incident: str
    kind: Kind
    text: str
    actor: str
    at: int


@dataclass(frozen=True, slots=True)
class Notes:
    """What counts of all that was written about an incident: the newest of each kind.

    `forgotten` is None again once somebody has said to remember it.
    """

    report: Note | None = None
    correction: Note | None = None
    forgotten: Note | None = None


def add(tx: Tx, incident: str, kind: Kind, text: str, actor: str) -> None:
    """Insert a note, with an audit entry that proves the text of a long one by its digest."""
    kept = str(redact_value(text))
    values = {"incident": incident, "kind": kind, "text": kept, "actor": actor, "at": tx.now()}
    tx.conn.execute(insert(t.memory_note).values(**values))
    tx.audit(incidents.chain(incident), _SAID[kind], actor, **_facts(kind, kept))


def _facts(kind: Kind, text: str) -> dict[str, Any]:
    if kind in _WHETHER:
        return {"reason": text}
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "bytes": len(text.encode())}


def of(conn: Connection, incident: str) -> Notes:
    """Return what counts of all that was written about one incident and those merged into it."""
    return of_each(conn, wholes(conn, [incident]))[incident]


def of_each(conn: Connection, parts: Mapping[str, str]) -> dict[str, Notes]:
    """Return what counts for each whole incident; `parts` is what `wholes` returns."""
    kept: dict[str, dict[Kind, Note]] = {whole: {} for whole in parts.values()}
    for piece in pieces(parts):
        newest = select(func.max(t.memory_note.c.id)).where(t.memory_note.c.incident.in_(piece))
        newest = newest.group_by(t.memory_note.c.incident, t.memory_note.c.kind)
        for row in conn.execute(select(t.memory_note).where(t.memory_note.c.id.in_(newest))):
            note = _note(row)
            mine = kept[parts[note.incident]]
            mine[note.kind] = max(note, mine.get(note.kind, note), key=lambda one: one.id)
    return {whole: _counting(mine) for whole, mine in kept.items()}


def _counting(mine: Mapping[Kind, Note]) -> Notes:
    forget, remember = mine.get("forget"), mine.get("remember")
    again = forget is not None and remember is not None and remember.id > forget.id
    return Notes(mine.get("report"), mine.get("correction"), None if again else forget)


def forgotten() -> Select[Any]:
    """Return a query of the ids of incidents that somebody said to forget, and nobody since to remember."""
    c = t.memory_note.c
    newest = select(func.max(c.id)).where(c.kind.in_(_WHETHER)).group_by(c.incident)
    return select(c.incident).where(c.kind == "forget", c.id.in_(newest))


def wholes(conn: Connection, chosen: Iterable[str]) -> dict[str, str]:
    """Return these incidents and all that were merged into them, each with the one of these that it is part of."""
    c = t.incident.c
    found = {id: id for id in chosen}
    level = list(found)
    while level:
        below: dict[str, str] = {}
        for piece in pieces(level):
            for row in conn.execute(select(c.id, c.merged_into).where(c.merged_into.in_(piece))):
                if row.id not in found:
                    below[row.id] = found[row.merged_into]
        found.update(below)
        level = list(below)
    return found


def pieces(ids: Iterable[str]) -> Iterator[list[str]]:
    """Yield ids in parts that one statement takes."""
    every = list(ids)
    for start in range(0, len(every), _PIECE):
        yield every[start : start + _PIECE]


def _note(row: Row[Any]) -> Note:
    return Note(row.id, row.incident, row.kind, row.text, row.actor, row.at)
