"""Correlation: alerts that wait to be placed or are held back, why they are where they are, silences, corrections.

Revision: 0003
Follows: 0002
There is no way down: the audit log is append-only, restore a backup instead.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "silence",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("matchers", sa.JSON(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("run", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silence")),
    )
    op.create_index("ix_silence_ends_at", "silence", ["ends_at"], unique=False)
    op.create_table(
        "correction",
        sa.Column("id", _BIG_ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("one", sa.JSON(), nullable=False),
        sa.Column("other", sa.JSON(), nullable=False),
        sa.Column("together", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
    )
    op.create_table(
        "ending",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "fingerprint", "starts_at", "ends_at", name=op.f("pk_ending")),
    )
    op.create_index("ix_ending_received_at", "ending", ["received_at"], unique=False)
    op.add_column("incident", sa.Column("merged_into", sa.Text(), nullable=True))
    op.add_column("incident", sa.Column("of_alerts", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("incident", sa.Column("origins", sa.JSON(), server_default="[]", nullable=False))
    op.add_column("incident", sa.Column("quoted", sa.JSON(), server_default="[]", nullable=False))
    op.create_index("ix_run_incident", "run", ["incident"], unique=False)
    _alerts()


def _alerts() -> None:
    with op.batch_alter_table("alert") as alert:
        alert.alter_column("incident", existing_type=sa.Text(), nullable=True)
        alert.add_column(sa.Column("why", sa.JSON(), server_default="[]", nullable=False))
        alert.add_column(sa.Column("placed", sa.BigInteger(), nullable=True))
        alert.add_column(sa.Column("pinned_by", sa.Text(), nullable=True))
        alert.add_column(sa.Column("silence", sa.Text(), nullable=True))
        alert.add_column(sa.Column("end_implied", sa.Boolean(), server_default=sa.false(), nullable=False))
        alert.create_foreign_key(op.f("fk_alert_silence"), "silence", ["silence"], ["id"])
    op.create_index("ix_alert_placed", "alert", ["placed"], unique=False)
    op.create_index(
        "ix_alert_silence",
        "alert",
        ["silence"],
        unique=False,
        sqlite_where=sa.text("silence IS NOT NULL"),
        postgresql_where=sa.text("silence IS NOT NULL"),
    )
    silenced = sa.text("silence IS NOT NULL AND ends_at IS NULL")
    op.create_index(
        "ix_alert_silenced", "alert", ["silence"], unique=False, sqlite_where=silenced, postgresql_where=silenced
    )
    op.create_index("ix_alert_starts_at", "alert", ["starts_at"], unique=False)
    op.create_index(
        "ix_alert_watch",
        "alert",
        ["source"],
        unique=False,
        sqlite_where=sa.text("source = 'watch' AND ends_at IS NULL"),
        postgresql_where=sa.text("source = 'watch' AND ends_at IS NULL"),
    )
    op.execute("UPDATE alert SET placed = 0")  # whatever is there has an incident
