"""The audit log proves what it can: every altered, swapped, missing or forged entry inside a chain is found."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sysop.store import audit
from sysop.store.engine import parse_url, sqlite_file
from sysop.store.store import Store
from sysop.store.writer import GENESIS, entry_hash

LINES = 5


async def fill(store: Store) -> None:
    for number in range(LINES):
        for chain in ("run-a", "run-b"):
            await store.write(lambda tx, c=chain, n=number: tx.audit(c, "test.line", "tester", number=n))


class Owner:
    """Whoever owns the database: may drop triggers and write anything."""

    def __init__(self, url: str) -> None:
        self.postgres = url.startswith("postgres")
        self._connection: Any
        if self.postgres:
            self._connection = psycopg.connect(url, autocommit=True)
            self.run("ALTER TABLE audit DISABLE TRIGGER ALL")
        else:
            self._connection = sqlite3.connect(sqlite_file(parse_url(url)), isolation_level=None)
            for name in ("audit_no_update", "audit_no_delete", "audit_no_replace", "audit_link"):
                self.run(f"DROP TRIGGER {name}")

    def run(self, statement: str, *values: Any) -> Any:
        return self._connection.execute(statement.replace("?", "%s") if self.postgres else statement, values)

    def row(self, chain: str, seq: int) -> tuple[str, bytes, bytes]:
        found = self.run("SELECT body, prev, hash FROM audit WHERE chain = ? AND seq = ?", chain, seq).fetchone()
        return found[0], bytes(found[1]), bytes(found[2])

    def put(self, chain: str, seq: int, body: str, prev: bytes, digest: bytes) -> None:
        change = "UPDATE audit SET body = ?, prev = ?, hash = ? WHERE chain = ? AND seq = ?"
        self.run(change, body, prev, digest, chain, seq)

    def close(self) -> None:
        self._connection.close()


def edit_a_body(owner: Owner) -> None:
    body, prev, digest = owner.row("run-a", 3)
    if owner.postgres:  # the database itself checks the hash there
        owner.run("ALTER TABLE audit DROP CONSTRAINT audit_check")
    owner.put("run-a", 3, body.replace('"number":2', '"number":7'), prev, digest)


def edit_a_body_and_its_hash(owner: Owner) -> None:
    body, prev, _ = owner.row("run-a", 3)
    forged = body.replace('"number":2', '"number":7')
    owner.put("run-a", 3, forged, prev, entry_hash(prev, forged.encode()))


def remove_one_in_the_middle(owner: Owner) -> None:
    owner.run("DELETE FROM audit WHERE chain = 'run-a' AND seq = 3")


def remove_the_first(owner: Owner) -> None:
    owner.run("DELETE FROM audit WHERE chain = 'run-a' AND seq = 1")


def swap_two(owner: Owner) -> None:
    three, four = owner.row("run-a", 3), owner.row("run-a", 4)
    owner.run("DELETE FROM audit WHERE chain = 'run-a' AND seq IN (3, 4)")
    for body, prev, seq in ((four[0], three[1], 3), (three[0], four[1], 4)):
        moved = json.dumps({**json.loads(body), "seq": seq}, sort_keys=True, separators=(",", ":"))
        insert = "INSERT INTO audit (body, prev, hash) VALUES (?, ?, ?)"
        owner.run(insert, moved, prev, entry_hash(prev, moved.encode()))


def a_key_twice(owner: Owner) -> None:
    body, prev, _ = owner.row("run-a", LINES)
    twice = body.replace('{"actor"', '{"number":99,"actor"')
    owner.put("run-a", LINES, twice, prev, entry_hash(prev, twice.encode()))


def a_foreign_hash(owner: Owner) -> None:
    body, prev, _ = owner.row("run-a", 3)
    if owner.postgres:
        owner.run("ALTER TABLE audit DROP CONSTRAINT audit_check")
    owner.put("run-a", 3, body, prev, hashlib.sha256(prev + body.encode()).digest())


def rename_a_chain(owner: Owner) -> None:
    body, _, _ = owner.row("run-b", 1)
    if owner.postgres:
        owner.run("ALTER TABLE audit DROP CONSTRAINT audit_check")
    for seq in range(1, LINES + 1):
        body, prev, digest = owner.row("run-b", seq)
        owner.put("run-b", seq, body.replace("run-b", "run-z"), prev, digest)


def insert_a_foreign_entry(owner: Owner) -> None:
    _, _, head = owner.row("run-a", LINES)
    body = json.dumps({"chain": "run-a", "seq": LINES + 2, "kind": "x", "actor": "x", "ts": 1})
    owner.run("INSERT INTO audit (body, prev, hash) VALUES (?, ?, ?)", body, head, entry_hash(head, body.encode()))


TAMPERING: list[tuple[Callable[[Owner], None], str]] = [
    (edit_a_body, "its body does not match its hash"),
    (edit_a_body_and_its_hash, "it does not link to the entry before it"),
    (remove_one_in_the_middle, "entry 3 of the chain is missing"),
    (remove_the_first, "entry 1 of the chain is missing"),
    (swap_two, "it does not link"),
    (a_key_twice, "a key stands twice"),
    (a_foreign_hash, "its body does not match its hash"),
    (rename_a_chain, "its body does not match its hash"),
    (insert_a_foreign_entry, "is missing"),
]


@pytest.mark.parametrize(("tamper", "said"), TAMPERING, ids=lambda x: getattr(x, "__name__", None))
async def test_tampering_by_the_owner_is_found(
    store: Store, url: str, tamper: Callable[[Owner], None], said: str
) -> None:
    await fill(store)
    clean = await store.read(audit.verify)
    assert (clean.ok, clean.entries, clean.chains) == (True, 2 * LINES, 2)
    owner = Owner(url)
    tamper(owner)
    owner.close()
    found = await store.read(audit.verify)
    assert not found.ok
    assert said in (found.problem or "")
    assert (found.problem or "").startswith("entry ")


async def test_an_export_holds_the_exact_bytes_and_proves_itself_with_hashlib_alone(store: Store) -> None:
    await fill(store)
    await store.write(lambda tx: tx.audit("run-a", "test.line", "tester", text='é \u2028 \U0001f600 "\\\n'))
    lines = [json.loads(line) for line in await store.read(lambda conn: list(audit.export(conn)))]
    heads: dict[str, bytes] = {}
    for line in lines:
        body = json.loads(line["body"])
        prev = bytes.fromhex(line["prev"])
        assert prev == heads.get(body["chain"], bytes(32))
        digest = hashlib.sha256(b"\x02" + prev + line["body"].encode()).digest()
        assert digest.hex() == line["hash"]
        heads[body["chain"]] = digest
    assert len(lines) == 2 * LINES + 1
    assert [line["id"] for line in lines] == sorted(line["id"] for line in lines)


async def test_secrets_are_gone_before_the_body_is_hashed(store: Store) -> None:
    secret = "ghp_" + "a1B2" * 10
    entry = await store.write(
        lambda tx: tx.audit(
            "c", "k", "a", text=f"use {secret}", nested={"password": "hunter2hunter2", secret: [secret]}
        )
    )
    assert secret not in entry.body
    assert "hunter2" not in entry.body
    assert entry.hash == entry_hash(GENESIS, entry.body.encode())
    assert (await store.read(audit.verify)).ok


async def test_every_column_is_taken_from_the_body(store: Store) -> None:
    entry = await store.write(lambda tx: tx.audit("c", "k.x", "person:a", kindly=1))
    found = (await store.read(lambda conn: audit.entries(conn, chain="c", kind="k")))[0]
    assert (found.chain, found.seq, found.kind, found.actor, found.ts) == ("c", 1, "k.x", "person:a", entry.ts)
    assert found == entry


async def test_facts_cannot_pose_as_the_position_of_an_entry(store: Store) -> None:
    forged = {"seq": 99, "ts": 1}
    entry = await store.write(lambda tx: tx.audit("c", "k", "a", **forged))
    assert json.loads(entry.body)["seq"] == 1
    assert (await store.read(audit.verify)).ok


async def test_an_observer_sees_what_is_committed_and_nothing_that_is_rolled_back(store: Store) -> None:
    seen: list[str] = []
    store.observe([lambda entry: seen.append(entry.kind)])

    def failing(tx: Any) -> None:
        tx.audit("c", "k.lost", "a")
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await store.write(failing)
    await store.write(lambda tx: tx.audit("c", "k.kept", "a"))
    assert seen == ["k.kept"]


async def test_nothing_of_it_is_logged(store: Store, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level(logging.DEBUG, "sysop"):
        await fill(store)
    assert caplog.text == ""
