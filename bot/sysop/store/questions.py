"""Questions that no page answered: what whoever owns the runbooks could write next. Who asked is not kept."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, select, update

from sysop.errors import InvalidRequest
from sysop.redact import redact_value
from sysop.store import tables as t
from sysop.store.rows import insert_new
from sysop.store.writer import Tx

State = Literal["open", "answered", "dismissed"]
LONGEST: Final = 1000
"""So many characters of a question are kept."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, how often it was asked and when, in milliseconds, and the page that came nearest to an answer.

    `place` is where it was asked last, `nearest` is empty where no page came near. `decided_by` is who said that it is
    answered or not to be.
    """

    id: str
    text: str
    place: str
    nearest: str
    asked: int
    first_at: int
    last_at: int
    state: State
    decided_by: str | None = None
    decided_at: int | None = None


def chain(question: str) -> str:
    """Return the audit chain of a question."""
    return f"question:{question}"


def ask(tx: Tx, text: str, place: str, nearest: str = "") -> str | None:
    """Count a question that no page answered and return its id, None for one without a word.

    The same words are the same question, whatever their case, spaces and final marks. One that was answered is open
    again, since the answer is not found; one that was dismissed stays so.
    """
    kept = " ".join(str(redact_value(text)).split())
    kept = kept if len(kept) <= LONGEST else f"{kept[: LONGEST - 1]}…"
    id, now = _id(kept), tx.now()
    if id is None:
        return None
    row = {"id": id, "text": kept, "place": place, "nearest": nearest, "asked": 1, "first_at": now, "last_at": now}
    if insert_new(tx, t.question, {**row, "state": "open"}):
        tx.audit(chain(id), "question.asked", "service:knowledge", asked=1, text=kept, place=place, nearest=nearest)
        return id
    known = lock(tx, id)
    again: dict[str, Any] = {"asked": known.asked + 1, "last_at": now, "place": place, "nearest": nearest}
    if known.state == "answered":
        again |= {"state": "open", "decided_by": None, "decided_at": None}
    tx.conn.execute(update(t.question).where(t.question.c.id == id).values(**again))
    kind = "question.reopened" if known.state == "answered" else "question.asked"
    tx.audit(chain(id), kind, "service:knowledge", asked=known.asked + 1, place=place, nearest=nearest)
    return id


def decide(tx: Tx, question: str, state: Literal["answered", "dismissed"], actor: str) -> Question:
    """Take a question off the list and return it. Raises InvalidRequest for an unknown id or one that is off it."""
    known = lock(tx, question)
    if known.state != "open":
        raise InvalidRequest(f"question {question} is {known.state} already")
    values = {"state": state, "decided_by": actor, "decided_at": tx.now()}
    tx.conn.execute(update(t.question).where(t.question.c.id == question).values(**values))
    tx.audit(chain(question), f"question.{state}", actor)
    return load(tx.conn, question)


def lock(tx: Tx, question: str) -> Question:
    """Return a question and keep others from changing it until this transaction ends."""
    tx.conn.execute(select(t.question.c.id).where(t.question.c.id == question).with_for_update())
    return load(tx.conn, question)


def load(conn: Connection, question: str) -> Question:
    """Return a question. Raises InvalidRequest for an unknown id."""
    row = conn.execute(select(t.question).where(t.question.c.id == question)).first()
    if row is None:
        raise InvalidRequest(f"there is no question {question!r}; see: sysop runbooks questions")
    return _question(row)


def listed(conn: Connection, *, open_only: bool = True, limit: int = 50) -> list[Question]:
    """Return questions, those that are asked most first; of equals the newest."""
    c = t.question.c
    query = select(t.question).order_by(c.asked.desc(), c.last_at.desc(), c.id).limit(limit)
    if open_only:
        query = query.where(c.state == "open")
    return [_question(row) for row in conn.execute(query)]


def _id(text: str) -> str | None:
    """Return the id of a question by its words alone."""
    words = "".join(char if char.isalnum() else " " for char in unicodedata.normalize("NFKC", text).casefold()).split()
    return f"que-{hashlib.sha256(' '.join(words).encode()).hexdigest()[:16]}" if words else None


def _question(row: Row[Any]) -> Question:
    return Question(**{name: getattr(row, name) for name in Question.__dataclass_fields__})
