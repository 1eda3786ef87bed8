"""Conversations, what came in from a surface and what goes out to it."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from sysop.store.tables.columns import Facts, Words, metadata

conversation = Table(
    "conversation",
    metadata,
    Column("id", Text, primary_key=True),
    Column("surface", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("root", Text),
    Column("owner", Text, nullable=False),
    Column("title", Words, nullable=False),
    Column("incident", Text, ForeignKey("incident.id"), unique=True),
    Column("run", Text, ForeignKey("run.id")),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("team", "channel", "root"),
)

turn = Table(
    "turn",
    metadata,
    Column("conversation", Text, ForeignKey("conversation.id"), primary_key=True),
    Column("ts", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("text", Words, nullable=False),
    Column("state", Text, nullable=False),
    Column("run", Text),
    Column("at", BigInteger, nullable=False),
    Index("ix_turn_state", "state"),
)

inbox = Table(
    "inbox",
    metadata,
    Column("key", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("body", JSON(none_as_null=True)),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("not_before", BigInteger, nullable=False),
    Column("worker", Text),
    Column("error", Words),
    Column("received_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Index("ix_inbox_state_not_before", "state", "not_before"),
    Index("ix_inbox_lane_state", "lane", "state"),
)

_OPEN = text("finished_at IS NULL")
outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("thread", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text),
    Column("conversation", Text, ForeignKey("conversation.id")),
    Column("payload", Facts(none_as_null=True)),
    Column("state", Text, nullable=False),
    Column("ts", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("not_before", BigInteger, nullable=False),
    Column("error", Words),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    UniqueConstraint("thread", "seq"),
    Index("ix_outbox_state_not_before", "state", "not_before"),
    Index("ix_outbox_key", "key"),
    Index("ix_outbox_finished_at", "finished_at"),
    Index("ix_outbox_open", "thread", "seq", "key", sqlite_where=_OPEN, postgresql_where=_OPEN),
)

message = Table(
    "message",
    metadata,
    Column("key", Text, primary_key=True),
    Column("conversation", Text, ForeignKey("conversation.id")),
    Column("channel", Text, nullable=False),
    Column("ts", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("opened_at", BigInteger),
    Column("shown", Facts, nullable=False),
    Column("digest", Text, nullable=False),
    Index("ix_message_channel_ts", "channel", "ts"),
    Index("ix_message_conversation", "conversation"),
    Index("ix_message_open", "opened_at", sqlite_where=text("open = 1"), postgresql_where=text("open")),
)

member = Table(
    "member",
    metadata,
    Column("id", Text, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("name", Words, nullable=False),
    Column("human", Boolean, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("checked_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger),
    Index("ix_member_actor", "actor"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("key", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
)
