"""What a chat surface delivered: written down before it is acknowledged, worked on afterwards, once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, and_, delete, func, or_, select, text, update

from sysop.redact import redact_value
from sysop.store import approvals
from sysop.store import tables as t
from sysop.store.rows import insert_all_new
from sysop.store.writer import Tx

LEASE_MS = 60_000
OPEN = ("waiting", "working")
KEEP_MS = 7 * 24 * 3_600_000
"""Far longer than anybody delivers the same thing again."""
_AS_IT_IS = ("response_url", "response_urls", "trigger_id")
"""Addresses of an answer: they look like secrets, live for half an hour and go with the body."""

Kind = Literal["event", "command", "action", "shortcut", "view"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One thing to work on."""

    key: str
    kind: Kind
    body: Mapping[str, Any]
    attempts: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Letter:
    """One thing that was delivered. `signature` tells the request it came in from a copy of itself.

    Those of one `lane` are worked on one after another; without one a delivery waits for no other.
    """

    key: str
    kind: Kind
    body: Mapping[str, Any]
    signature: str | None = None
    lane: str = ""


def put(tx: Tx, key: str, kind: Kind, body: Mapping[str, Any], signature: str | None = None, *, lane: str = "") -> bool:
    """Store a delivery, without secrets; False when it came before, under its key or as the very same request."""
    return put_all(tx, [Letter(key, kind, body, signature, lane)])[0]


def put_all(tx: Tx, letters: Sequence[Letter]) -> list[bool]:
    """Store several deliveries as `put` does one after another."""
    if tx.postgres and _distinct(letters):
        return _put_distinct(tx, letters)
    now, places = tx.now(), _places(letters)
    unseen = approvals.first_deliveries(tx, [_ledger(one) for one in letters if one.signature is not None], now)
    rows: dict[str, dict[str, Any]] = {}
    first: list[Letter] = []
    for letter, place in zip(letters, places, strict=True):
        if letter.signature is not None and _ledger(letter) not in unseen:
            continue
        unseen.discard(_ledger(letter))  # the next one with this signature is a copy
        if letter.key not in rows:
            first.append(letter)
            values = {"key": letter.key, "kind": letter.kind, "lane": letter.lane, "body": _clean(letter.body)}
            rows[letter.key] = {**values, "state": "waiting", "not_before": now, "received_at": now + place}
    fresh = insert_all_new(tx, t.inbox, [rows[key] for key in sorted(rows)])
    stored = {id(letter) for letter in first if letter.key in fresh}
    return [id(letter) in stored for letter in letters]


def _places(letters: Sequence[Letter]) -> list[int]:
    """Return how many of the same lane come before each: so many milliseconds later it counts as received.

    What is written down together would have one time, and whatever came first could be worked on last.
    """
    before: Counter[str] = Counter()
    found = []
    for letter in letters:
        found.append(before[letter.lane])
        before[letter.lane] += bool(letter.lane)
    return found


def _distinct(letters: Sequence[Letter]) -> bool:
    signatures = [letter.signature for letter in letters if letter.signature is not None]
    return len(set(signatures)) == len(signatures) and len({letter.key for letter in letters}) == len(letters)


_PUT_DISTINCT = text("""
    WITH given AS (
        SELECT * FROM json_to_recordset(CAST(:given AS json))
        AS given (ledger text, key text, kind text, lane text, place integer, body json)
    ), clock AS (
        SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
    ), unseen AS (
        INSERT INTO delivery (key, at)
        SELECT ledger, now FROM given, clock WHERE ledger IS NOT NULL ORDER BY ledger
        ON CONFLICT DO NOTHING RETURNING key
    )
    INSERT INTO inbox (key, kind, lane, body, state, not_before, received_at)
    SELECT key, kind, lane, body, 'waiting', now, now + place FROM given, clock
    WHERE ledger IS NULL OR ledger IN (SELECT key FROM unseen) ORDER BY key
    ON CONFLICT DO NOTHING RETURNING key
""")


def _put_distinct(tx: Tx, letters: Sequence[Letter]) -> list[bool]:
    """Store deliveries of which no two are copies, by one statement: each more is a turn to the server and back.

    They go as one JSON text: in an array every quotation mark of every body would be escaped by itself.
    """
    given = [
        {
            "ledger": None if letter.signature is None else _ledger(letter),
            "key": letter.key,
            "kind": letter.kind,
            "lane": letter.lane,
            "place": place,
            "body": _clean(letter.body),
        }
        for letter, place in zip(letters, _places(letters), strict=True)
    ]
    fresh = set(tx.conn.scalars(_PUT_DISTINCT, {"given": json.dumps(given)}))
    return [letter.key in fresh for letter in letters]


def _ledger(letter: Letter) -> str:
    return f"signature:{letter.signature}"


def _clean(body: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: body[name] for name in _AS_IT_IS if name in body}
    rest = {name: value for name, value in body.items() if name not in kept and name != "token"}
    return {**redact_value(rest), **kept}


def _due(now: int) -> Any:
    """Tell which rows may be begun: never before an older one of their lane, or "stop" would overtake the wish."""
    older = t.inbox.alias("older")
    before = or_(
        older.c.received_at < t.inbox.c.received_at,
        and_(older.c.received_at == t.inbox.c.received_at, older.c.key < t.inbox.c.key),
    )
    in_front = (
        select(older.c.key)
        .where(older.c.lane == t.inbox.c.lane, older.c.lane != "", older.c.state.in_(OPEN), before)
        .correlate(t.inbox)
        .exists()
    )
    return and_(t.inbox.c.state.in_(OPEN), t.inbox.c.not_before <= now, ~in_front)


def due(conn: Connection, limit: int = 64) -> list[str]:
    """Return what can be worked on now, oldest first; also what a process took and then died over."""
    rows = select(t.inbox.c.key).where(_due(Tx(conn).now())).order_by(t.inbox.c.received_at, t.inbox.c.key)
    return list(conn.scalars(rows.limit(limit)))


def claim(tx: Tx, key: str, worker: str) -> Delivery | None:
    """Take a delivery for a minute; None when somebody else has it or it is finished."""
    now = tx.now()
    values = {"state": "working", "worker": worker, "not_before": now + LEASE_MS, "attempts": t.inbox.c.attempts + 1}
    mine = (t.inbox.c.key == key) & _due(now)
    if not tx.conn.execute(update(t.inbox).where(mine).values(**values)).rowcount:
        return None
    row = tx.conn.execute(select(t.inbox).where(t.inbox.c.key == key)).one()
    return Delivery(row.key, row.kind, dict(row.body or {}), row.attempts, row.received_at)


def finish(tx: Tx, key: str) -> None:
    """Note that a delivery was worked on; what it said is forgotten, that it came is not."""
    _change(tx, key, state="done", body=None, error=None, finished_at=tx.now())


def retry(tx: Tx, key: str, error: str, not_before: int) -> None:
    """Put a delivery back for later."""
    _change(tx, key, state="waiting", error=error, not_before=not_before)


def bury(tx: Tx, key: str, error: str) -> None:
    """Give a delivery up, with an audit entry that says so."""
    _change(tx, key, state="dead", body=None, error=error, finished_at=tx.now())
    tx.audit("system", "inbox.dead", "service:slack", key=key, error=error)


def left_over(tx: Tx) -> int:
    """Put back what a process took and did not finish, without waiting for its claim to run out.

    Only for a process that is the only one, and has just begun.
    """
    rows = update(t.inbox).where(t.inbox.c.state == "working")
    return int(tx.conn.execute(rows.values(state="waiting", worker=None, not_before=tx.now())).rowcount)


def _change(tx: Tx, key: str, **values: Any) -> None:
    tx.conn.execute(update(t.inbox).where(t.inbox.c.key == key).values(worker=None, **values))


def open_in(conn: Connection, lane: str, limit: int = 64) -> list[Mapping[str, Any]]:
    """Return what of a lane waits or is being worked on, oldest first."""
    rows = select(t.inbox.c.body).where(t.inbox.c.lane == lane, t.inbox.c.state.in_(OPEN))
    return [dict(body or {}) for body in conn.scalars(rows.order_by(t.inbox.c.received_at).limit(limit))]


def counts(conn: Connection) -> dict[str, int]:
    """Count deliveries by state."""
    rows = conn.execute(select(t.inbox.c.state, func.count()).group_by(t.inbox.c.state))
    return {str(state): int(number) for state, number in rows}


def forget(tx: Tx, at_once: int = 1000) -> bool:
    """Remove some of what was finished long ago; True while there may be more."""
    old = select(t.inbox.c.key).where(t.inbox.c.finished_at < tx.now() - KEEP_MS).limit(at_once)
    return tx.conn.execute(delete(t.inbox).where(t.inbox.c.key.in_(old))).rowcount == at_once
