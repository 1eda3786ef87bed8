"""The record of changes, and news of what post-checks wait for."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from sysop.store.tables.columns import metadata

change = Table(
    "change",
    metadata,
    Column("source", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("service", Text),
    Column("environment", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("told", Integer, nullable=False),
    Column("run", Text),
    Column("call", Text),
    Column("noted_at", BigInteger, nullable=False),
    Index("ix_change_at", "at"),
    Index("ix_change_service_at", "service", "at"),
    Index("ix_change_noted_at", "noted_at"),
)

news = Table(
    "news",
    metadata,
    Column("key", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Index("ix_news_at", "at"),
)
