"""Safety promise 4: nobody changes what is in the audit log, not even with SQL."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gate.kit import BOB, Attack
from sysop.errors import SchemaOutdated
from sysop.store import audit, schema
from sysop.store.engine import parse_url, sqlite_file
from sysop.store.store import Store
from sysop.store.writer import GENESIS, entry_hash


def body(chain: str, seq: Any, **more: Any) -> str:
    return json.dumps({"chain": chain, "seq": seq, "kind": "forged", "actor": "x", "ts": 1, **more})


async def fill(store: Store) -> None:
    for number in range(3):
        await store.write(lambda tx, number=number: tx.audit("run-a", "test.line", "tester", number=number))
    await store.write(lambda tx: tx.audit("run-b", "test.line", "tester"))


NEXT = body("run-a", 4)
HEAD = "(SELECT hash FROM audit WHERE chain = 'run-a' AND seq = 3)"
HASH = "zeroblob(32)"
SQLITE = {
    "update a body": "UPDATE audit SET body = body || ' '",
    "update a hash": f"UPDATE audit SET hash = {HASH} WHERE id = 3",
    "update an id": "UPDATE audit SET id = 99 WHERE id = 3",
    "rename a chain": "UPDATE audit SET body = json_set(body, '$.chain', 'run-z') WHERE chain = 'run-a'",
    "delete": "DELETE FROM audit",
    "delete the tail": "DELETE FROM audit WHERE chain = 'run-a' AND seq = 3",
    "insert or replace by id": "INSERT OR REPLACE INTO audit (id, body, prev, hash) "
    f"VALUES (3, '{NEXT}', {HEAD}, {HASH})",
    "replace into": f"REPLACE INTO audit (id, body, prev, hash) VALUES (1, '{NEXT}', {HEAD}, {HASH})",
    "replace by chain position": "INSERT OR REPLACE INTO audit (body, prev, hash) "
    f"SELECT '{body('run-a', 3)}', prev, {HASH} FROM audit WHERE chain = 'run-a' AND seq = 3",
    "update or replace": "UPDATE OR REPLACE audit SET id = 1 WHERE id = 3",
    "upsert": f"INSERT INTO audit (id, body, prev, hash) VALUES (3, '{NEXT}', {HEAD}, {HASH}) "
    "ON CONFLICT DO UPDATE SET body = excluded.body",
    "wrong prev": f"INSERT INTO audit (body, prev, hash) VALUES ('{NEXT}', {HASH}, {HASH})",
    "a gap in the numbers": f"INSERT INTO audit (body, prev, hash) VALUES ('{body('run-a', 5)}', {HEAD}, {HASH})",
    "a number that is taken": f"INSERT INTO audit (body, prev, hash) VALUES ('{body('run-a', 3)}', {HEAD}, {HASH})",
    "number zero": f"INSERT INTO audit (body, prev, hash) VALUES ('{body('run-a', 0)}', {HEAD}, {HASH})",
    "a negative number": f"INSERT INTO audit (body, prev, hash) VALUES ('{body('run-n', -1)}', {HASH}, {HASH})",
    "a number that is text": f"INSERT INTO audit (body, prev, hash) VALUES ('{body('run-n', 'one')}', {HASH}, {HASH})",
    "a short hash": f"INSERT INTO audit (body, prev, hash) VALUES ('{NEXT}', {HEAD}, zeroblob(31))",
    "a hash that is text": f"INSERT INTO audit (body, prev, hash) VALUES ('{NEXT}', {HEAD}, '{'0' * 32}')",
    "invalid JSON": f"INSERT INTO audit (body, prev, hash) VALUES ('{{', {HEAD}, {HASH})",
    "no chain": f"INSERT INTO audit (body, prev, hash) VALUES ('{{\"seq\": 1}}', {HASH}, {HASH})",
    "an id that is not positive": f"INSERT INTO audit (id, body, prev, hash) VALUES (0, '{NEXT}', {HEAD}, {HASH})",
    "a negative id": f"INSERT INTO audit (id, body, prev, hash) VALUES (-5, '{NEXT}', {HEAD}, {HASH})",
    "a chain of one's own": f"INSERT INTO audit (body, prev, hash, chain) VALUES ('{NEXT}', {HEAD}, {HASH}, 'z')",
}


def _refuses(hostile: sqlite3.Connection, statement: str) -> bool:
    try:
        hostile.execute(statement)
    except sqlite3.Error:
        return True
    return False


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_sqlite_refuses_every_hostile_statement(url: str, store: Store) -> None:
    await fill(store)
    before = await store.read(lambda conn: list(audit.export(conn)))
    hostile = sqlite3.connect(sqlite_file(parse_url(url)), isolation_level=None)
    for name, statement in SQLITE.items():
        assert _refuses(hostile, statement), f"{name}: not refused"
    hostile.close()
    await store.write(lambda tx: tx.audit("run-a", "test.line", "tester"))
    after = await store.read(lambda conn: list(audit.export(conn)))
    assert after[:-1] == before
    assert (await store.read(audit.verify)).ok
    assert len(SQLITE) >= 14


# -- PostgreSQL --------------------------------------------------------------------------------------------------------

PG_HEAD = "(SELECT hash FROM audit WHERE chain = 'run-a' AND seq = 3)"
ROLE = f"sysop_app_{os.getpid()}"
AS_APP = {
    "update": "UPDATE audit SET body = body",
    "update through xid": "UPDATE audit SET xid = '1'",
    "delete": "DELETE FROM audit",
    "truncate": "TRUNCATE audit",
    "drop a trigger": "DROP TRIGGER audit_no_change ON audit",
    "disable the triggers": "ALTER TABLE audit DISABLE TRIGGER ALL",
    "session_replication_role": "SET session_replication_role = replica",
    "forge xid": f"INSERT INTO audit (body, prev, hash, xid) SELECT '{NEXT}', {PG_HEAD}, {PG_HEAD}, '1'",
    "forge id": f"INSERT INTO audit (id, body, prev, hash) SELECT 1000, '{NEXT}', {PG_HEAD}, {PG_HEAD}",
    "wrong hash": f"INSERT INTO audit (body, prev, hash) SELECT '{NEXT}', {PG_HEAD}, {PG_HEAD}",
    "drop the table": "DROP TABLE audit",
    "replace the trigger's function": "CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger "
    "LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
    "move the sequence back": "SELECT setval('audit_id_seq', 1)",
    "forge the schema's revision": "UPDATE alembic_version SET version_num = '0'",
    "upsert": "INSERT INTO audit (body, prev, hash) SELECT body, prev, hash FROM audit WHERE seq = 3 "
    "ON CONFLICT (chain, seq) DO UPDATE SET body = excluded.body",
    "wrong prev": "linked: run-a 4 genesis",
    "a gap": "linked: run-a 6 head",
    "a taken number": "linked: run-a 3 head",
}
AS_OWNER = {
    "update": "UPDATE audit SET body = body",
    "delete": "DELETE FROM audit WHERE seq = 3",
    "truncate": "TRUNCATE audit",
    "update as a replica": "SET session_replication_role = replica; UPDATE audit SET body = body",
    "delete as a replica": "SET session_replication_role = replica; DELETE FROM audit",
    "wrong hash": f"INSERT INTO audit (body, prev, hash) SELECT '{NEXT}', {PG_HEAD}, {PG_HEAD}",
    "wrong prev": "linked: run-a 4 genesis",
}


@pytest.fixture
def app_url(url: str) -> Iterator[str]:
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {ROLE} LOGIN")
    schema.grant(parse_url(url), ROLE)
    head, _, place = url.partition("@")
    yield f"postgresql://{ROLE}@{place}" if head else url
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"DROP OWNED BY {ROLE}")
        owner.execute(f"DROP ROLE {ROLE}")


def refuses(connection: psycopg.Connection[Any], statement: str) -> bool:
    """Tell whether a statement fails, in a transaction of its own."""
    try:
        with connection.transaction():
            _attempt(connection, statement)
    except psycopg.Error:
        return True
    return False


def _attempt(connection: psycopg.Connection[Any], statement: str) -> None:
    """Run a statement; `linked: CHAIN SEQ PREV` inserts an entry whose own hash is right."""
    if not statement.startswith("linked: "):
        connection.execute(statement)  # type: ignore[call-overload]
        return
    _, chain, seq, prev = statement.split()
    row = connection.execute(f"SELECT {PG_HEAD}").fetchone()
    start = row[0] if row and prev == "head" else GENESIS
    text = body(chain, int(seq))
    values = (text, start, entry_hash(start, text.encode()))
    connection.execute("INSERT INTO audit (body, prev, hash) VALUES (%s, %s, %s)", values)


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_postgres_refuses_the_app_and_the_owner(url: str, app_url: str, store: Store) -> None:
    await fill(store)
    before = await store.read(lambda conn: list(audit.export(conn)))
    for who, statements in ((app_url, AS_APP), (url, AS_OWNER)):
        with psycopg.connect(who, autocommit=True) as hostile:
            for name, statement in statements.items():
                assert refuses(hostile, statement), f"{name}: not refused"
    app = Store.open(app_url)
    await app.write(lambda tx: tx.audit("run-a", "test.line", "tester"))
    assert (await app.read(audit.verify)).ok
    await app.close()
    assert (await store.read(lambda conn: list(audit.export(conn))))[:-1] == before
    assert (len(AS_APP), len(AS_OWNER)) >= (7, 3)


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_the_app_role_carries_a_whole_run_through_the_gate(url: str, app_url: str, tmp_path: Path) -> None:
    gate = Attack(tmp_path, app_url)
    await gate.app.begin()
    try:
        run = await gate.submit("guarded", {"name": "x"})
        async with asyncio.timeout(10):
            while (await gate.run(run)).waiting_for is None:
                await asyncio.sleep(0.02)
            await gate.vote(await gate.approval(run), BOB)
            while (await gate.run(run)).state != "done":
                await asyncio.sleep(0.02)
        assert await gate.state(run) == "done"
        await gate.app.service.pause(BOB, "x")
        await gate.app.service.resume(BOB, "y")
    finally:
        await gate.app.end()
        await gate.close()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_grants_make_no_sense_on_sqlite(url: str) -> None:
    with pytest.raises(SchemaOutdated, match="PostgreSQL only"):
        schema.grant(parse_url(url), "somebody")


def test_the_hash_is_what_the_documents_say() -> None:
    assert entry_hash(GENESIS, b"{}") == hashlib.sha256(b"\x02" + bytes(32) + b"{}").digest()
