"""Safety promise 13: nothing is approved or begun late, by the database's clock, whatever the host's clock says."""

from __future__ import annotations

import time as real_time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from gate.kit import Attack, dies_at
from scale import size
from sysop.model import ApprovalState
from sysop.store import approvals, audit
from sysop.store import tables as t
from sysop.store.store import Store

HOUR = 3_600_000
APPROVALS = size(60)


@pytest.fixture(params=[-HOUR, 0, HOUR], ids=["an hour slow", "right", "an hour fast"])
def skew(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Set the host's clock wrong, in every way a process can read it."""
    real, real_ns = real_time.time, real_time.time_ns
    off: int = request.param
    monkeypatch.setattr(real_time, "time", lambda: real() + off / 1000)
    monkeypatch.setattr(real_time, "time_ns", lambda: real_ns() + off * 1_000_000)
    return off


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_a_wrong_host_clock_makes_no_run_late_on_postgres(gate: Attack, skew: int) -> None:
    for number in range(APPROVALS):
        given = await gate.approved("append", {"name": f"t{number}"})
        late = number % 2 == 0
        now = await gate.app.store.now()
        by = now - 1 if late else now + 60_000
        await gate.sql("UPDATE approval SET execute_by = :by WHERE id = :id", by=by, id=given.id)
        await gate.advance(given.run)
        assert len(gate.begun) == (number + 1) // 2
        assert (await gate.load(given.id)).state is (ApprovalState.EXPIRED if late else ApprovalState.CONSUMED)


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
async def test_a_wrong_host_clock_opens_no_closed_approval_on_postgres(gate: Attack, skew: int) -> None:
    asked = await gate.ask("append")
    now = await gate.app.store.now()
    await gate.sql("UPDATE approval SET approve_by = :by", by=now - 1)
    counted = await gate.vote(asked)
    assert (counted.counted, counted.state) == (False, ApprovalState.EXPIRED)


class Clock:
    """The host's clock of an SQLite process."""

    def __init__(self) -> None:
        self.time = real_time.time_ns() // 1_000_000

    def __call__(self) -> int:
        return self.time


class Ticking(Clock):
    """A clock that goes on by a millisecond at every look, so that a unit sees time pass between two statements."""

    def __call__(self) -> int:
        self.time += 1
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def sqlite_gate(attack: Callable[..., Attack], url: str, clock: Clock) -> Attack:
    return attack(store=Store.open(url, clock=clock))


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("passes", "runs"), [(9 * 60_000, True), (10 * 60_000, False), (HOUR, False)])
async def test_an_approval_is_used_in_time_or_not_at_all(
    sqlite_gate: Attack, clock: Clock, passes: int, runs: bool
) -> None:
    given = await sqlite_gate.approved("append")
    clock.time += passes
    await sqlite_gate.advance(given.run)
    assert len(sqlite_gate.begun) == int(runs)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("action", "minutes"), [("append", 30), ("wipe", 15)])
async def test_people_answer_in_time_or_not_at_all(
    sqlite_gate: Attack, clock: Clock, action: str, minutes: int
) -> None:
    asked = await sqlite_gate.ask(action)
    assert asked.approve_by - asked.created_at == minutes * 60_000
    clock.time = asked.approve_by
    counted = await sqlite_gate.vote(asked)
    assert (counted.counted, counted.state) == (False, ApprovalState.EXPIRED)
    await sqlite_gate.advance(asked.run)
    assert "expired: nobody answered in time" in await sqlite_gate.told(asked.run)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_what_is_decided_in_the_last_millisecond_is_not_stamped_late(
    attack: Callable[..., Attack], url: str
) -> None:
    """The check of a deadline and what is written down of it are one reading of the clock."""
    clock = Ticking()
    gate, counted = attack(store=Store.open(url, clock=clock)), 0
    for before in range(1, 13):
        asked = await gate.ask("append", {"name": f"t{before}"})
        clock.time = asked.approve_by - before
        counted += (await gate.vote(asked)).counted
        given = await gate.load(asked.id)
        if given.execute_by is not None:
            clock.time = given.execute_by - 2 * before
            await gate.advance(given.run)
    assert 0 < counted < 12
    deadlines = {a.id: a for a in await gate.app.store.read(lambda conn: approvals.listed(conn, pending_only=False))}
    for entry in await gate.app.store.read(audit.entries):
        mine = deadlines.get(entry.chain.partition(":")[2])
        if entry.kind == "approval.approved" and mine is not None:
            assert entry.ts < mine.approve_by
        if entry.kind == "approval.consumed" and mine is not None:
            assert entry.ts < (mine.execute_by or 0)
    begun = await gate.app.store.read(
        lambda conn: conn.execute(select(t.effect).where(t.effect.c.started_at.is_not(None))).all()
    )
    assert 0 < len(begun) < counted
    assert all(row.started_at < (deadlines[row.approval].execute_by or 0) for row in begun)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_clock_set_back_revives_nothing(sqlite_gate: Attack, clock: Clock) -> None:
    for number in range(APPROVALS):
        given = await sqlite_gate.approved("append", {"name": f"t{number}"})
        clock.time += 11 * 60_000
        await sqlite_gate.submit("look")  # some entry of the time after
        clock.time -= 2 * HOUR
        await sqlite_gate.advance(given.run)
        assert sqlite_gate.begun == []
        assert (await sqlite_gate.load(given.id)).state is ApprovalState.EXPIRED
        clock.time += 2 * HOUR + 1


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_clock_that_stands_still_mixes_up_no_approvals(sqlite_gate: Attack, clock: Clock) -> None:
    given = await sqlite_gate.approved("guarded")
    clock.time -= HOUR
    for level in range(1, 6):
        (sqlite_gate.folder / "level").write_text(str(level))
        await sqlite_gate.advance(given.run)
        fresh = await sqlite_gate.approval(given.run)
        assert (fresh.state, fresh.precondition) == (ApprovalState.PENDING, f'"{level}"')
        await sqlite_gate.vote(fresh)
    await sqlite_gate.advance(given.run)
    assert len(sqlite_gate.begun) == 1


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_reads_and_writes_see_the_same_time(sqlite_gate: Attack, clock: Clock) -> None:
    clock.time += 5 * HOUR
    assert await sqlite_gate.app.store.now() == await sqlite_gate.app.store.write(lambda tx: tx.now()) == clock.time


@pytest.mark.parametrize("how", ["killed", "paused"])
async def test_an_effect_held_up_after_its_approval_was_used_is_not_begun_late(
    attack: Callable[..., Attack], how: str
) -> None:
    gate = attack(probe=dies_at("intent"))
    given = await gate.approved("append")
    await gate.die(given.run)
    after = attack()
    if how == "paused":
        await after.app.service.pause(_person(after), "wait")
        await after.work()
    await after.sql("UPDATE approval SET execute_by = 1 WHERE id = :id", id=given.id)
    if how == "paused":
        await after.app.service.resume(_person(after), "go on")
    await after.work()
    row = await after.row(given.run)
    assert row is not None
    assert (row.state, row.error) == ("failed", f"the time to use approval {given.id} ran out; nothing was run")
    assert after.begun == []


def _person(gate: Attack) -> Any:
    return gate.app.people.by_name("bob")
