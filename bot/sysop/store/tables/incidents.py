"""Incidents, the alerts they are made of, and what people have said of both."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text, false, text

from sysop.store.tables.columns import Facts, Words, metadata

incident = Table(
    "incident",
    metadata,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("title", Words, nullable=False),
    Column("severity", Text, nullable=False),
    Column("services", JSON, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("mitigated_at", BigInteger),
    Column("resolved_at", BigInteger),
    Column("run", Text, unique=True),
    Column("opened_by", Text),
    Column("acknowledged_by", Text),
    Column("acknowledged_at", BigInteger),
    Column("merged_into", Text),
    Column("of_alerts", Boolean, nullable=False, server_default=false()),
    Column("origins", Facts, nullable=False, server_default="[]"),
    Column("quoted", JSON, nullable=False, server_default="[]"),
    Index("ix_incident_state", "state"),
)

_SILENCED = text("silence IS NOT NULL AND ends_at IS NULL")
alert = Table(
    "alert",
    metadata,
    Column("source", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("starts_at", BigInteger, primary_key=True),
    Column("ends_at", BigInteger),
    Column("labels", Facts, nullable=False),
    Column("annotations", Facts, nullable=False),
    Column("url", Words, nullable=False),
    Column("incident", Text, ForeignKey("incident.id")),
    Column("reason", Words, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("why", Facts, nullable=False, server_default="[]"),
    Column("placed", BigInteger),
    Column("pinned_by", Text),
    Column("silence", Text, ForeignKey("silence.id")),
    Column("end_implied", Boolean, nullable=False, server_default=false()),
    Index("ix_alert_incident", "incident"),
    Index("ix_alert_placed", "placed"),
    Index(
        "ix_alert_silence",
        "silence",
        sqlite_where=text("silence IS NOT NULL"),
        postgresql_where=text("silence IS NOT NULL"),
    ),
    Index("ix_alert_silenced", "silence", sqlite_where=_SILENCED, postgresql_where=_SILENCED),
    Index("ix_alert_starts_at", "starts_at"),
    Index(
        "ix_alert_watch",
        "source",
        sqlite_where=text("source = 'watch' AND ends_at IS NULL"),
        postgresql_where=text("source = 'watch' AND ends_at IS NULL"),
    ),
)

ending = Table(
    "ending",
    metadata,
    Column("source", Text, primary_key=True),
    Column("fingerprint", Text, primary_key=True),
    Column("starts_at", BigInteger, primary_key=True),
    Column("ends_at", BigInteger, primary_key=True),
    Column("received_at", BigInteger, nullable=False),
    Index("ix_ending_received_at", "received_at"),
)

silence = Table(
    "silence",
    metadata,
    Column("id", Text, primary_key=True),
    Column("matchers", Facts, nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("comment", Words, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("ended_by", Text),
    Column("run", Text),
    Index("ix_silence_ends_at", "ends_at"),
)

correction = Table(
    "correction",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("one", Facts, nullable=False),
    Column("other", Facts, nullable=False),
    Column("together", Boolean, nullable=False),
    Column("actor", Text, nullable=False),
)
