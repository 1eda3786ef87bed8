"""Runs, the ledger of their effects, what people approve, and what stands around them."""

from __future__ import annotations

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
    Table,
    Text,
    UniqueConstraint,
)

from sysop.store.tables.columns import Facts, Words, metadata

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

feedback = Table(
    "feedback",
    metadata,
    Column("run", Text, ForeignKey("run.id"), primary_key=True),
    Column("actor", Text, primary_key=True),
    Column("helpful", Boolean, nullable=False),
    Column("text", Words, nullable=False),
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
