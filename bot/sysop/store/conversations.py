"""Conversations as rows: a thread somewhere, what people said in it, and the runs that came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, insert, select, update

from sysop.errors import InvalidRequest, LeaseLost
from sysop.model import Run, new_id
from sysop.store import runs
from sysop.store import tables as t
from sysop.store.rows import insert_new
from sysop.store.writer import Tx

TurnState = Literal["queued", "taken", "answered"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A thread. `root` names its first message once that was posted, `owner` is who began it, "" for alerts.

    `run` is the newest run that may change something; a run beside it only looks.
    """

    id: str
    surface: str
    team: str
    channel: str
    root: str | None
    owner: str
    title: str
    incident: str | None
    run: str | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a person. `queued` waits for a run, `taken` is in the history of `run`."""

    conversation: str
    ts: str
    actor: str
    text: str
    state: TurnState
    run: str | None
    at: int


def create(
    tx: Tx,
    *,
    surface: str,
    team: str,
    channel: str,
    root: str | None,
    owner: str,
    title: str,
    incident: str | None = None,
) -> Conversation:
    """Insert a conversation."""
    made = Conversation(new_id("conv"), surface, team, channel, root, owner, title, incident, None, tx.now())
    tx.conn.execute(insert(t.conversation).values(**_values(made)))
    return made


def ensure(
    tx: Tx,
    id: str,
    *,
    surface: str,
    team: str,
    channel: str,
    root: str | None,
    owner: str,
    title: str,
    incident: str | None = None,
) -> Conversation:
    """Return the conversation about this incident, in this thread or with this id; insert one where there is none."""
    made = Conversation(id, surface, team, channel, root, owner, title, incident, None, tx.now())
    found = _known(tx.conn, made)
    if found is None and not insert_new(tx, t.conversation, _values(made)):
        found = _known(tx.conn, made)  # somebody else was faster; on PostgreSQL the insert has waited for them
    return found or made


def _known(conn: Connection, wanted: Conversation) -> Conversation | None:
    found = of_incident(conn, wanted.incident) if wanted.incident else None
    if found is None and wanted.root is not None:
        found = at(conn, wanted.team, wanted.channel, wanted.root)
    return found or _first(conn, t.conversation.c.id == wanted.id)


def _values(conversation: Conversation) -> dict[str, Any]:
    return {name: getattr(conversation, name) for name in Conversation.__dataclass_fields__}


def load(conn: Connection, id: str) -> Conversation:
    """Return a conversation. Raises InvalidRequest for an unknown id."""
    found = _first(conn, t.conversation.c.id == id)
    if found is None:
        raise InvalidRequest(f"there is no conversation {id!r}")
    return found


def lock(tx: Tx, id: str) -> Conversation:
    """Return a conversation and keep others from changing it until this transaction ends."""
    tx.conn.execute(select(t.conversation.c.id).where(t.conversation.c.id == id).with_for_update(key_share=True))
    return load(tx.conn, id)


def at(conn: Connection, team: str, channel: str, root: str) -> Conversation | None:
    """Return the conversation of a thread, if it is one of ours."""
    c = t.conversation.c
    return _first(conn, (c.team == team) & (c.channel == channel) & (c.root == root))


def of_incident(conn: Connection, incident: str) -> Conversation | None:
    """Return the conversation about an incident, if there is one."""
    return _first(conn, t.conversation.c.incident == incident)


def of_run(conn: Connection, run: str) -> Conversation | None:
    """Return the conversation a run belongs to, if any."""
    mine = select(t.run.c.conversation).where(t.run.c.id == run).scalar_subquery()
    return _first(conn, t.conversation.c.id == mine)


def set_root(tx: Tx, id: str, root: str) -> None:
    """Store the name of the first message once it was posted."""
    tx.conn.execute(update(t.conversation).where(t.conversation.c.id == id).values(root=root))


def set_run(tx: Tx, id: str, run: str) -> None:
    """Make a run the newest that may change something, and the run one of this conversation."""
    tx.conn.execute(update(t.conversation).where(t.conversation.c.id == id).values(run=run))
    tx.conn.execute(update(t.run).where(t.run.c.id == run).values(conversation=id))


def retitle(tx: Tx, id: str, title: str) -> None:
    """Store another title."""
    tx.conn.execute(update(t.conversation).where(t.conversation.c.id == id).values(title=title))


def add_turn(tx: Tx, conversation: str, ts: str, actor: str, text: str) -> bool:
    """Store what somebody said, as queued; False when this message was heard before."""
    values = {"conversation": conversation, "ts": ts, "actor": actor, "text": text, "state": "queued", "at": tx.now()}
    return insert_new(tx, t.turn, values)


def queued(conn: Connection, conversation: str) -> list[Turn]:
    """Return what no run has taken up yet, in the order it was said."""
    mine = (t.turn.c.conversation == conversation) & (t.turn.c.state == "queued")
    return [_turn(row) for row in conn.execute(select(t.turn).where(mine).order_by(t.turn.c.ts))]


def turn(conn: Connection, conversation: str, ts: str) -> Turn | None:
    """Return one message, if it was heard."""
    row = conn.execute(select(t.turn).where(t.turn.c.conversation == conversation, t.turn.c.ts == ts)).first()
    return _turn(row) if row else None


def turns(conn: Connection, conversation: str, limit: int = 100) -> list[Turn]:
    """Return what was said, oldest first."""
    rows = select(t.turn).where(t.turn.c.conversation == conversation).order_by(t.turn.c.ts.desc()).limit(limit)
    return [_turn(row) for row in reversed(conn.execute(rows).all())]


def settle(tx: Tx, conversation: str, ts: Sequence[str], state: TurnState, run: str | None) -> None:
    """Say what became of messages."""
    mine = (t.turn.c.conversation == conversation) & t.turn.c.ts.in_(ts)
    tx.conn.execute(update(t.turn).where(mine).values(state=state, run=run))


def take(tx: Tx, run: Run, ts: Sequence[str]) -> None:
    """Put queued messages into the history of a run that the caller holds: their authors become its requesters.

    Raises LeaseLost where one of them is not queued any more: another run has been given it.
    """
    assert run.conversation is not None
    mine = (t.turn.c.conversation == run.conversation) & t.turn.c.ts.in_(ts) & (t.turn.c.state == "queued")
    if tx.conn.execute(update(t.turn).where(mine).values(state="taken", run=run.id)).rowcount != len(ts):
        raise LeaseLost(f"what was said to run {run.id} was taken up by another run")
    for said in (turn(tx.conn, run.conversation, one) for one in ts):
        assert said is not None
        runs.join(tx, run.id, ids_of(tx.conn, said.actor), said.text)


def ids_of(conn: Connection, actor: str) -> list[str]:
    """Return every id that somebody who spoke is known by, as `Actor.ids` does for who is here."""
    return [actor, *conn.scalars(select(t.member.c.id).where(t.member.c.actor == actor, t.member.c.id != actor))]


def put_back(tx: Tx, run: Run, ts: Sequence[str]) -> None:
    """Queue messages again that a run has taken and that nothing of it has answered; who said them stays requester."""
    assert run.conversation is not None
    mine = (t.turn.c.conversation == run.conversation) & t.turn.c.ts.in_(ts) & (t.turn.c.run == run.id)
    tx.conn.execute(update(t.turn).where(mine, t.turn.c.state == "taken").values(state="queued", run=None))


def waiting(conn: Connection, limit: int = 64) -> list[str]:
    """Return conversations in which somebody waits and no run is under way that could take it up."""
    idle = t.run.c.id.is_(None) | t.run.c.state.in_(runs.FINAL)
    rows = (
        select(t.turn.c.conversation)
        .join(t.conversation, t.conversation.c.id == t.turn.c.conversation)
        .outerjoin(t.run, t.run.c.id == t.conversation.c.run)
        .where(t.turn.c.state == "queued", idle)
        .distinct()
        .limit(limit)
    )
    return list(conn.scalars(rows))


def runs_of(conn: Connection, conversation: str) -> list[Run]:
    """Return the runs of a conversation, oldest first."""
    mine = select(t.run.c.id).where(t.run.c.conversation == conversation).order_by(t.run.c.created_at, t.run.c.id)
    return [runs.load(conn, id) for id in conn.scalars(mine).all()]


def under_way(conn: Connection, conversation: str) -> list[Run]:
    """Return the runs of a conversation that have not ended, oldest first."""
    return [run for run in runs_of(conn, conversation) if not run.over]


def live_runs(conn: Connection, surface: str, team: str) -> list[Run]:
    """Return every run of a workspace's conversations that has not ended, oldest first."""
    here = (t.conversation.c.surface == surface) & (t.conversation.c.team == team)
    ids = select(t.run.c.id).join(t.conversation, t.conversation.c.id == t.run.c.conversation)
    ids = ids.where(here, t.run.c.state.not_in(runs.FINAL)).order_by(t.run.c.created_at, t.run.c.id)
    return [runs.load(conn, id) for id in conn.scalars(ids).all()]


def concluded(conn: Connection, conversation: str, before: int, limit: int = 20) -> list[Run]:
    """Return the runs of a conversation that had ended by a time, oldest first, the newest `limit` of them.

    By a time, so that a run which is replayed begins from the same history. A run that was stopped belongs to it:
    what it had changed by then must be known.
    """
    mine = (t.run.c.conversation == conversation) & t.run.c.state.in_(runs.FINAL)
    newest = select(t.run.c.id).where(mine, t.run.c.finished_at <= before).order_by(t.run.c.finished_at.desc())
    return [runs.load(conn, id) for id in reversed(conn.scalars(newest.limit(limit)).all())]


def _first(conn: Connection, which: Any) -> Conversation | None:
    row = conn.execute(select(t.conversation).where(which)).first()
    return Conversation(**{name: getattr(row, name) for name in Conversation.__dataclass_fields__}) if row else None


def _turn(row: Row[Any]) -> Turn:
    return Turn(row.conversation, row.ts, row.actor, row.text, row.state, row.run, row.at)
