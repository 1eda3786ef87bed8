"""What people have said of past incidents and of what was shown to them, and the questions nobody could answer."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from sysop.store.tables.columns import Words, metadata

_BIG_ID = BigInteger().with_variant(Integer, "sqlite")

memory_note = Table(
    "memory_note",
    metadata,
    Column("id", _BIG_ID, primary_key=True),
    Column("incident", Text, ForeignKey("incident.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Words, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("ix_memory_note_incident_kind", "incident", "kind"),
)

rating = Table(
    "rating",
    metadata,
    Column("id", _BIG_ID, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("shown", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("note", Words, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("ix_rating_shown", "shown"),
)

question = Table(
    "question",
    metadata,
    Column("id", Text, primary_key=True),
    Column("text", Words, nullable=False),
    Column("place", Text, nullable=False),
    Column("nearest", Text, nullable=False),
    Column("asked", Integer, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", BigInteger),
    Index("ix_question_state_last_at", "state", "last_at"),
)
