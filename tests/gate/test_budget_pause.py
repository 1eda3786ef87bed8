"""Safety promises 14 and 15: pause holds every new effect back, a budget is never overdrawn, targets never overlap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from gate.kit import ANN, BOB, DAN, Attack, Calls, dies_at
from lab import Lab
from scale import size
from sysop.errors import NotAllowed
from sysop.model import RunState
from sysop.store import audit, effects, mode, runs
from sysop.store.store import Store
from sysop.store.writer import Tx

PARALLEL = size(1000, 40)
CAP = 3
FREE: dict[str, Any] = {"rules": [{"name": "free", "match": {"risk": ["change"]}, "then": "allow"}]}


async def test_parallel_runs_never_overdraw_the_budget(attack: Callable[..., Attack]) -> None:
    desks = [attack(policy=FREE, budgets={"change": CAP}) for _ in range(1 if attack().app.store.embedded else 4)]
    wanted = [await desks[0].submit("append", {"name": f"t{n}"}) for n in range(PARALLEL)]
    await asyncio.gather(*(desks[n % len(desks)].advance(run) for n, run in enumerate(wanted)))
    assert len(desks[0].begun) == CAP
    refused = [await desks[0].told(run) for run in wanted if await desks[0].row(run) is None]
    assert len(refused) == PARALLEL - CAP
    assert all("the budget of production is used up: 3 of 3 change actions" in reason for reason in refused)


async def test_a_budget_is_one_for_each_environment_and_class_and_comes_back_after_an_hour(gate: Attack) -> None:
    small = Attack(gate.folder, gate.url, policy=FREE, budgets={"change": 1, "destructive": 0})
    first = await small.submit("append", {"name": "a"})
    await small.work()
    assert await small.state(first) == "done"
    second = await small.submit("append", {"name": "b"})
    await small.work()
    assert await small.state(second) is None
    await small.sql("UPDATE effect SET created_at = created_at - 3600001")
    third = await small.submit("append", {"name": "c"})
    await small.work()
    assert await small.state(third) == "done"
    await small.close()


async def test_a_failed_effect_counts_too_so_a_crash_cannot_reset_the_budget(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE, budgets={"change": 1})
    failed = await gate.submit("refuse", {"name": "a"})
    second = await gate.submit("append", {"name": "b"})
    await gate.work()
    assert {await gate.state(failed), await gate.state(second)} in ({"failed", None}, {"done", None})
    assert len(gate.begun) <= 1


async def _count_then_insert(store: Store, number: int, lock: bool) -> None:
    """What a budget without its lock would do."""

    def unit(tx: Tx) -> None:
        if lock:
            mode.lock_budgets(tx, ["class:test"])
        have = tx.conn.scalar(text("SELECT count(*) FROM delivery WHERE key LIKE 'effect %'")) or 0
        tx.conn.execute(text("SELECT pg_sleep(0.01)"))
        if have < CAP:
            tx.conn.execute(text("INSERT INTO delivery VALUES (:key, 0)"), {"key": f"effect {number}"})

    await store.write(unit)


@pytest.mark.parametrize("lock", [True, False], ids=["locked", "control: not locked"])
async def test_counting_without_the_lock_overshoots_on_postgres(url: str, lock: bool) -> None:
    if url.startswith("sqlite"):
        return  # its transactions are exclusive: there is nothing to leave out
    store = Store.open(url, pool_size=16)
    await asyncio.gather(*(_count_then_insert(store, n, lock) for n in range(48)))
    begun = await store.read(lambda conn: conn.scalar(text("SELECT count(*) FROM delivery")))
    await store.close()
    assert (begun == CAP) if lock else (begun > CAP), begun


async def test_a_pause_holds_effects_back_at_once_and_reads_go_on(attack: Callable[..., Attack]) -> None:
    both = Calls(("look", "lab.look", {}), ("do", "lab.append", {"name": "x"}), ("after", "lab.look", {}))
    gate = attack(policy=FREE, planners=both.named())
    await gate.app.service.pause(DAN, "something smells")
    run = await gate.submit("", planner="calls")
    await gate.work()
    found = await gate.run(run)
    assert (found.state, found.waiting_for) == (RunState.WAITING, "pause")
    assert await gate.state(run, "look") == "done"
    assert gate.begun == []
    with pytest.raises(NotAllowed):
        await gate.app.service.resume(DAN, "I have no role")
    await gate.app.service.resume(BOB, "all well")
    await gate.work()
    assert (await gate.run(run)).state is RunState.DONE
    assert len(gate.begun) == 1


async def test_a_pause_between_the_intent_and_the_call_still_holds_it_back(attack: Callable[..., Attack]) -> None:
    run = await attack(policy=FREE, probe=dies_at("intent")).dying("append", {"name": "x"})
    gate = attack(policy=FREE)
    await gate.app.service.pause(ANN, "now")
    await gate.work()
    assert (await gate.run(run)).waiting_for == "pause"
    assert (await gate.state(run), gate.begun) == ("intent", [])
    await gate.app.service.resume(BOB, "go on")
    await gate.work()
    assert await gate.state(run) == "done"


async def test_no_effect_begins_after_the_pause_commit_however_many_are_under_way(
    attack: Callable[..., Attack],
) -> None:
    desks = [attack(policy=FREE) for _ in range(1 if attack().app.store.embedded else 3)]
    wanted = [await desks[0].submit("append", {"name": f"t{n}"}) for n in range(size(400, 40))]
    few = asyncio.Semaphore(6)

    async def carry(number: int, run: str) -> None:
        async with few:
            await desks[number % len(desks)].advance(run)

    working = asyncio.gather(*(carry(number, run) for number, run in enumerate(wanted)))
    while len(desks[0].begun) < 5:
        await asyncio.sleep(0)
    await desks[0].app.service.pause(ANN, "stop")
    await working
    entries = await desks[0].app.store.read(lambda conn: audit.entries(conn, limit=100_000))
    paused = next(entry.id for entry in entries if entry.kind == "mode.paused")
    assert [entry for entry in entries if entry.kind == "effect.executing" and entry.id > paused] == []
    assert len(desks[0].begun) < len(wanted), "everything was done before the pause: the test proves nothing"
    waiting = await desks[0].app.store.read(lambda conn: [r for r in runs.newest(conn, 1000) if r.waiting_for])
    assert all(run.waiting_for == "pause" for run in waiting)
    await desks[0].app.service.resume(BOB, "go on")
    await desks[0].work()
    assert len(desks[0].begun) == len(wanted) == len(set(desks[0].begun))


async def test_a_resume_that_comes_while_a_run_is_being_parked_is_not_lost(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE)
    await gate.app.service.pause(ANN, "stop")
    run = await gate.submit("append", {"name": "x"})
    parked = gate.advance._park

    async def slowly(*given: Any) -> None:
        await gate.app.service.resume(BOB, "go on")
        await parked(*given)

    gate.advance._park = slowly  # type: ignore[method-assign]
    await gate.advance(run)
    await gate.work()
    assert await gate.state(run) == "done"


async def test_a_vote_that_comes_while_the_run_is_being_parked_is_not_lost(gate: Attack) -> None:
    run = await gate.submit("append", {"name": "x"})
    parked = gate.advance._park

    async def slowly(*given: Any) -> None:
        await gate.vote(await gate.approval(run))
        await parked(*given)

    gate.advance._park = slowly  # type: ignore[method-assign]
    await gate.advance(run)
    await gate.work()
    assert await gate.state(run) == "done"


async def test_two_changes_to_one_target_never_overlap(attack: Callable[..., Attack]) -> None:
    class Slow(Lab):
        inside = 0
        most = 0

    slow = Slow()

    def count(point: str) -> None:
        slow.inside += 1 if point == "effect.before" else -1
        slow.most = max(slow.most, slow.inside)

    slow.probe = count
    gate = attack(lab=slow, policy=FREE)
    wanted = [await gate.submit("append", {"name": "one"}) for _ in range(20)]
    await asyncio.gather(*(gate.advance(run) for run in wanted))
    assert slow.most == 1
    refused = [run for run in wanted if await gate.row(run) is None]
    reasons = [await gate.told(run) for run in refused]
    assert all("another change to thing:one is not finished" in reason for reason in reasons)
    assert len(gate.begun) == len(wanted) - len(refused) >= 1


async def test_an_unknown_effect_keeps_its_target_until_a_person_has_looked(attack: Callable[..., Attack]) -> None:
    class Hanging(Lab):
        def act(self, ctx: Any, name: str) -> Any:
            super().act(ctx, name)
            raise ConnectionResetError("gone")

    gate = attack(lab=Hanging(), policy=FREE)
    first = await gate.submit("shout", {"name": "x"})
    await gate.advance(first)
    assert await gate.state(first) == "unknown"
    second = await gate.submit("append", {"name": "x"})
    await gate.advance(second)
    assert "another change to thing:x is not finished" in await gate.told(second)
    await gate.app.service.resolve(first, "call", BOB, True, "I looked")
    assert await gate.app.store.read(lambda conn: effects.in_flight(conn, "thing:x")) == []


@pytest.mark.parametrize("moment", ["intent", "checked", "executing"])
async def test_a_run_that_is_cancelled_or_breaks_midway_does_not_keep_its_target(
    attack: Callable[..., Attack], moment: str
) -> None:
    def stop(point: str) -> None:
        if point == moment:
            raise RuntimeError("a bug of ours")

    gate = attack(policy=FREE, probe=stop)
    run = await gate.submit("append", {"name": "x"})
    await gate.advance(run)
    assert (await gate.run(run)).state is RunState.FAILED
    assert await gate.state(run) == ("unknown" if moment == "executing" else "failed")
    assert gate.begun == []
    if moment == "executing":
        await gate.app.service.resolve(run, "call", BOB, False, "nothing there")
    after = attack(policy=FREE)
    again = await after.submit("append", {"name": "x"})
    await after.advance(again)
    assert await after.state(again) == "done"


async def test_a_cancelled_run_that_waited_in_a_pause_does_not_keep_its_target(attack: Callable[..., Attack]) -> None:
    run = await attack(policy=FREE, probe=dies_at("intent")).dying("append", {"name": "x"})
    gate = attack(policy=FREE)
    await gate.app.service.pause(ANN, "now")
    await gate.work()
    assert await gate.app.service.cancel(run, ANN) == "cancelled"
    assert await gate.state(run) == "failed"
    assert await gate.app.store.read(lambda conn: effects.in_flight(conn, "thing:x")) == []
