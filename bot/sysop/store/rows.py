"""Statements that the databases write differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from sysop.store.writer import Tx, driver_sql


def insert_new(tx: Tx, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row; False when it was there. RETURNING tells: the row count of such an insert is -1 on PostgreSQL."""
    dialect = postgresql if tx.postgres else sqlite
    row = dialect.insert(table).values(**values).on_conflict_do_nothing().returning(*table.primary_key.columns)
    return tx.conn.execute(row).first() is not None


def insert_all_new(tx: Tx, table: Table, rows: Sequence[Mapping[str, Any]]) -> set[Any]:
    """Insert rows in the order of their keys, or two such units may deadlock; return the keys that were not there."""
    if not rows:
        return set()
    (key,) = table.primary_key.columns
    if not tx.postgres:
        return _insert_each(tx, table, key.name, rows)
    statement = postgresql.insert(table).on_conflict_do_nothing().returning(key)
    return set(tx.conn.scalars(statement, [dict(row) for row in rows]))


def _insert_each(tx: Tx, table: Table, key: str, rows: Sequence[Mapping[str, Any]]) -> set[Any]:
    """Insert rows past SQLAlchemy's layer: on SQLite ten statements cost less than its one for ten rows."""
    dialect = tx.conn.dialect
    names = list(rows[0])
    binders = [table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
    columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
    statement = f'INSERT INTO "{table.name}" ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING'  # noqa: S608
    new: set[Any] = set()
    for row in rows:
        bound = [bind(row[name]) if bind else row[name] for name, bind in zip(names, binders, strict=True)]
        if driver_sql(tx.conn, statement, tuple(bound)).rowcount:
            new.add(row[key])
    return new


def upsert(tx: Tx, table: Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Insert a row, or change these values of the one that is there."""
    dialect = postgresql if tx.postgres else sqlite
    row = dialect.insert(table).values(**key, **values)
    tx.conn.execute(row.on_conflict_do_update(index_elements=list(key), set_=dict(values)))
