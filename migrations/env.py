"""Alembic environment. The connection is handed in by `sysop.store.schema`; nothing here reads settings."""

from alembic import context
from sqlalchemy import Connection

from sysop.store.tables import metadata


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
