"""Approvals and delivery keys as rows: a vote under way counts, and what still decides is never forgotten."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, insert, select, text

import bench
from gate.kit import ANN, BOB, Attack
from sysop.model import ApprovalState
from sysop.store import approvals
from sysop.store import tables as t
from sysop.store.engine import parse_url
from sysop.store.store import Store

DAY = 24 * 3_600_000


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_a_vote_under_way_while_its_run_is_cancelled_leaves_nothing_approved(url: str, tmp_path: Path) -> None:
    gate = Attack(tmp_path, url)
    asked = await gate.ask("append")
    engine = create_engine(parse_url(url))
    with engine.connect() as vote:
        later = asked.approve_by + DAY
        vote.execute(text("UPDATE approval SET state = 'approved', execute_by = :by"), {"by": later})
        cancel = asyncio.create_task(gate.app.service.cancel(asked.run, ANN))
        with engine.connect() as look:
            while not _someone_waits(look):
                assert not cancel.done(), "the cancel did not wait for the vote: this test proves nothing"
                await asyncio.sleep(0.01)
        vote.commit()
    assert await cancel == "cancelled"
    assert (await gate.load(asked.id)).state is ApprovalState.VOID
    assert "approval.void" in await gate.kinds(approvals.chain(asked.id))
    engine.dispose()
    await gate.close()


def _someone_waits(look: object) -> bool:
    waits = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    found = look.scalar(waits)  # type: ignore[attr-defined]
    look.rollback()  # type: ignore[attr-defined]
    return bool(found)


async def _remember(store: Store, **ages: int) -> None:
    """Store delivery keys that are so old, in milliseconds."""
    now = await store.now()
    rows = [{"key": key, "at": now - age} for key, age in ages.items()]
    await store.write(lambda tx: tx.conn.execute(insert(t.delivery), rows) and None)


async def _keys(store: Store) -> set[str]:
    return set(await store.read(lambda conn: conn.scalars(select(t.delivery.c.key)).all()))


async def test_a_running_sysop_forgets_delivery_keys_after_a_month_and_not_before(url: str, tmp_path: Path) -> None:
    app = bench.build(tmp_path, url)
    await _remember(app.store, ancient=400 * DAY, old=30 * DAY + 60_000, young=30 * DAY - 60_000, new=0)
    await app.begin()
    async with asyncio.timeout(10):
        while await _keys(app.store) != {"young", "new"}:
            await asyncio.sleep(0.02)
    await app.end()
    await app.close()


async def test_many_keys_are_forgotten_in_pieces(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approvals, "FORGET_AT_ONCE", 10)
    await _remember(store, **{f"old{n}": 31 * DAY for n in range(25)}, new=0)
    left = []
    more = True
    while more:
        more = await store.write(approvals.forget_deliveries)
        left.append(await store.read(lambda conn: conn.scalar(select(func.count()).select_from(t.delivery))))
    assert left == [16, 6, 1]


async def test_a_click_is_remembered_for_as_long_as_it_can_decide_anything(url: str, tmp_path: Path) -> None:
    gate = Attack(tmp_path, url)
    longest = (1440 + 240) * 60_000  # what the settings allow to answer and to begin
    assert 10 * longest < approvals.KEEP_DELIVERIES_MS
    asked = await gate.ask("append")
    assert (await gate.vote(asked, BOB, delivery="click")).counted
    await gate.sql("UPDATE delivery SET at = at - :age", age=longest)
    assert not await gate.app.store.write(approvals.forget_deliveries)
    again = await gate.vote(asked, BOB, delivery="click")
    assert (again.counted, again.message) == (False, "this click was handled already")
    await gate.close()
