"""What memory has gained and lost since it was last asked, so that an index is fed with that alone.

Whatever becomes of an incident or a run is in the audit log, in the transaction that made it so: the place up to which
the log was read is the place up to which memory is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select, text

from sysop.knowledge.document import Document
from sysop.knowledge.memory.recall import MOST, recall, recall_these
from sysop.store import bygone, incidents
from sysop.store import tables as t
from sysop.store.store import Store

MOST_ENTRIES: Final = 20_000
"""After more entries than these everything is read anew, which costs less."""
_LATE: Final = 10_000
"""On PostgreSQL an entry may become visible after others with larger ids, of which there are far fewer than these."""
_INCIDENT: Final = incidents.chain("")
_LONGEST: Final = 80
_SETTLED: Final = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
_SINCE: Final = text("SELECT DISTINCT chain FROM audit WHERE id > :id AND id <= :most")
_SINCE_XID: Final = text(
    "SELECT DISTINCT chain FROM audit WHERE id > :low AND id <= :most AND xid >= CAST(:xid AS xid8)"
)


@dataclass(frozen=True, slots=True)
class Learned:
    """What to put into an index, the ids of what to take out, and the position to ask from next time.

    `whole` tells that `added` is all there is: the index is cleared first.
    """

    added: tuple[Document, ...]
    removed: tuple[str, ...]
    position: str
    whole: bool


@dataclass(frozen=True, slots=True)
class _Position:
    """The newest entry that was seen, its hash, and on PostgreSQL the oldest transaction that was under way then."""

    id: int
    hash: str
    xid: str

    def __str__(self) -> str:
        return f"{self.id}:{self.hash}:{self.xid}"


async def since(store: Store, position: str = "") -> Learned:
    """Return what has changed since a position that was returned before, without one all there is.

    All there is comes back, too, for a position of another database, of one restored from a backup, or of long ago.
    """
    return await store.read(lambda conn: _since(conn, position))


def _since(conn: Connection, position: str) -> Learned:
    now = _now(conn)
    before = _read(position)
    if before is None or not _goes_on(conn, before, now):
        return Learned(tuple(one.document for one in recall(conn, MOST)), (), str(now), whole=True)
    touched = _touched(conn, before, now)
    came, left = _at_the_edge(conn, len(touched))
    known = [one for one in recall_these(conn, [*touched, *came]) if not left or (-one.at, one.incident) < left[0]]
    gone = {*touched, *(id for _, id in left)} - {one.incident for one in known}
    removed = tuple(map(bygone.shown_as, sorted(gone)))
    return Learned(tuple(one.document for one in known), removed, str(now), whole=False)


def _at_the_edge(conn: Connection, changes: int) -> tuple[list[str], list[tuple[int, str]]]:
    """Return which incidents may have come among the newest and which may have left, after so many have changed.

    Those that left are (minus when it was opened, id), the newest first: whatever is not before the first has left.
    """
    after = max(0, MOST - changes)
    near = bygone.ranked(conn, after, 2 * changes) if changes else []
    inside, outside = near[: MOST - after], near[MOST - after :]
    return [id for _, id in inside], [(-opened_at, id) for opened_at, id in outside]


def _now(conn: Connection) -> _Position:
    # The snapshot comes first: whatever it has not settled is looked for again from there.
    xid = str(conn.scalar(_SETTLED)) if conn.dialect.name == "postgresql" else ""
    row = conn.execute(select(t.audit.c.id, t.audit.c.hash).order_by(t.audit.c.id.desc()).limit(1)).first()
    return _Position(row.id, bytes(row.hash).hex()[:16], xid) if row else _Position(0, "", xid)


def _read(position: str) -> _Position | None:
    id, _, rest = position[:_LONGEST].partition(":")
    hash, _, xid = rest.partition(":")
    return _Position(int(id), hash, xid) if id.isdecimal() and (not xid or xid.isdecimal()) else None


def _goes_on(conn: Connection, before: _Position, now: _Position) -> bool:
    """Tell whether the log of now is that of then and has grown by no more than is read one by one."""
    grown = now.id - before.id
    if before.id == 0 or not 0 <= grown <= MOST_ENTRIES or bool(before.xid) != bool(now.xid):
        return False
    then = conn.scalar(select(t.audit.c.hash).where(t.audit.c.id == before.id))
    return then is not None and bytes(then).hex()[:16] == before.hash


def _touched(conn: Connection, before: _Position, now: _Position) -> list[str]:
    """Return the incidents that entries were written for, or for a run of theirs, and what those are part of."""
    if now.xid:
        values = {"low": before.id - _LATE, "most": now.id, "xid": before.xid}
        chains = list(conn.scalars(_SINCE_XID, values))
    else:
        chains = list(conn.scalars(_SINCE, {"id": before.id, "most": now.id}))
    about = [chain.removeprefix(_INCIDENT) for chain in chains if chain.startswith(_INCIDENT)]
    return bygone.touched(conn, about, [chain for chain in chains if ":" not in chain])
