"""The tables, named as the nouns of `sysop.model`. Times are milliseconds since the epoch."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Computed,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.engine import Dialect

from sysop.redact import redact_value


class Words(TypeDecorator[str]):
    """Text that people, models or foreign systems wrote: whatever reaches the column, a secret in it does not."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Redact on the way in."""
        return None if value is None else str(redact_value(value))


class Facts(TypeDecorator[Any]):
    """JSON that holds such text."""

    impl = JSON
    cache_ok = True

    def __init__(self, *, none_as_null: bool = False) -> None:
        super().__init__(none_as_null=none_as_null)

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Redact on the way in."""
        return redact_value(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

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

run = Table(
    "run",
    metadata,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("text", Words, nullable=False),
    Column("requesters", JSON, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("incident", Text, ForeignKey("incident.id")),
    Column("planner", Text, nullable=False),
    Column("request", Facts, nullable=False),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("worker", Text),
    Column("lease_until", BigInteger),
    Column("waiting_for", Text),
    Column("wake_at", BigInteger),
    Column("plan", Facts, nullable=False),
    Column("history", LargeBinary),
    Column("answers", Integer, nullable=False, server_default="0"),
    Column("usage", JSON, nullable=False),
    Column("conclusion", Facts),
    Column("cancelled_by", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("conversation", Text),
    Index("ix_run_state_wake_at", "state", "wake_at"),
    Index("ix_run_conversation", "conversation"),
    Index("ix_run_incident", "incident"),
)

effect = Table(
    "effect",
    metadata,
    Column("run", Text, ForeignKey("run.id"), primary_key=True),
    Column("call", Text, primary_key=True),
    Column("action", Text, nullable=False),
    Column("risk", Text, nullable=False),
    Column("plugin_version", Text, nullable=False),
    Column("args", Text, nullable=False),
    Column("call_digest", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("idem_key", Text, nullable=False, unique=True),
    Column("approval", Text, ForeignKey("approval.id"), unique=True),
    Column("precondition", Text),
    Column("fence", BigInteger, nullable=False),
    Column("result", Text),
    Column("error", Words),
    Column("verified", Boolean),
    Column("verification", Words),
    Column("provider_id", Words),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Index("ix_effect_environment_risk_created_at", "environment", "risk", "created_at"),
    Index("ix_effect_target_state", "target", "state"),
)

approval = Table(
    "approval",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run", Text, ForeignKey("run.id"), nullable=False),
    Column("call", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("risk", Text, nullable=False),
    Column("args", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("requesters", JSON, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("count", Integer, nullable=False),
    Column("preview", Text, nullable=False),
    Column("precondition", Text, nullable=False),
    Column("reason", Words, nullable=False),
    Column("approve_by", BigInteger, nullable=False),
    Column("execute_within", BigInteger, nullable=False),
    Column("execute_by", BigInteger),
    Column("closed_reason", Words),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_approval_run_call", "run", "call"),
    Index("ix_approval_state_approve_by", "state", "approve_by"),
)

vote = Table(
    "vote",
    metadata,
    Column("approval", Text, ForeignKey("approval.id"), primary_key=True),
    Column("approver", Text, primary_key=True),
    Column("approve", Boolean, nullable=False),
    Column("reason", Words, nullable=False),
    Column("at", BigInteger, nullable=False),
)

said = Table(
    "said",
    metadata,
    Column("run", Text, ForeignKey("run.id"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("text", Words, nullable=False),
    Column("at", BigInteger, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    Column("key", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
)

mode = Table(
    "mode",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("paused", Boolean, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Words, nullable=False),
    Column("at", BigInteger, nullable=False),
)

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

feedback = Table(
    "feedback",
    metadata,
    Column("run", Text, ForeignKey("run.id"), primary_key=True),
    Column("actor", Text, primary_key=True),
    Column("helpful", Boolean, nullable=False),
    Column("text", Words, nullable=False),
    Column("at", BigInteger, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("worker", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
)

budget = Table("budget", metadata, Column("key", Text, primary_key=True))

# Created by raw statements in the migrations: generated columns, triggers and (on PostgreSQL) a hash check.
audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("body", Text, nullable=False),
    Column("prev", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("chain", Text, Computed("")),
    Column("seq", BigInteger, Computed("")),
    Column("kind", Text, Computed("")),
    Column("actor", Text, Computed("")),
    Column("ts", BigInteger, Computed("")),
    UniqueConstraint("chain", "seq", name="uq_audit_chain_seq"),
)

__all__ = [
    "alert",
    "approval",
    "audit",
    "budget",
    "change",
    "conversation",
    "correction",
    "delivery",
    "effect",
    "ending",
    "feedback",
    "inbox",
    "incident",
    "lease",
    "member",
    "message",
    "metadata",
    "mode",
    "news",
    "outbox",
    "run",
    "said",
    "silence",
    "turn",
    "vote",
]
