"""What follows from a change is written in the transaction of the change, or not at all."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from sysop.store.store import Store
from sysop.store.writer import Tx


async def test_a_projector_sees_what_was_touched_and_writes_beside_it(store: Store) -> None:
    seen: list[frozenset[str]] = []

    def project(tx: Tx, touched: frozenset[str]) -> None:
        seen.append(touched)
        tx.conn.execute(text("INSERT INTO delivery (key, at) VALUES (:key, 0)"), {"key": str(len(seen))})

    store.project(project)

    def unit(tx: Tx) -> None:
        tx.audit("run-1", "run.started", "ann")
        tx.touch("incident:inc-1")

    await store.write(unit)
    await store.write(lambda tx: None)
    assert seen == [frozenset({"run-1", "incident:inc-1"})]
    assert await store.read(lambda conn: conn.scalar(text("SELECT count(*) FROM delivery"))) == 1


async def test_a_unit_that_fails_projects_nothing_and_one_whose_projector_fails_is_undone(store: Store) -> None:
    def project(tx: Tx, touched: frozenset[str]) -> None:
        raise ValueError("cannot project")

    def fails(tx: Tx) -> None:
        tx.touch("run-1")
        raise KeyError("unit")

    store.project(project)
    with pytest.raises(KeyError):
        await store.write(fails)
    with pytest.raises(ValueError, match="cannot project"):
        await store.write(lambda tx: tx.audit("run-1", "run.started", "ann") and None)
    assert await store.read(lambda conn: conn.scalar(text("SELECT count(*) FROM audit"))) == 0
