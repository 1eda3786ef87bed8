"""Repeated failure: after so many failed changes of one target, a person who sees the history decides on the next."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from gate.kit import ANN, BOB, Attack, Calls
from lab import Lab
from scale import size
from sysop.model import ApprovalState
from sysop.store import targets

FREE: dict[str, Any] = {"rules": [{"name": "free", "match": {"risk": ["change"]}, "then": "allow"}]}
HOUR = 3_600_000


async def fail(gate: Attack, times: int, name: str = "web", action: str = "refuse") -> list[str]:
    """Let changes of a target fail, one after the other."""
    wanted = []
    for _ in range(times):
        wanted.append(await gate.submit(action, {"name": name}))
        await gate.advance(wanted[-1])
    return wanted


async def history(gate: Attack, run: str) -> list[str]:
    """Return what the card tells of earlier failures."""
    changes: list[str] = json.loads((await gate.approval(run)).preview)["changes"]
    return [line for line in changes if line.startswith("before: ")]


async def test_after_three_failures_a_person_decides_who_sees_them(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE)
    failed = await fail(gate, 3)
    assert [await gate.state(run) for run in failed] == ["failed"] * 3
    run = await gate.submit("append", {"name": "web"})
    await gate.advance(run)
    assert gate.begun == []
    told = await history(gate, run)
    assert [f"(run {run})" in line for run, line in zip(failed, told, strict=True)] == [True] * 3
    assert all(' lab.refuse {"name":"web"} failed at 20' in line for line in told)
    assert all("web is not possible" in line and "abcdefgh12345" not in line for line in told)
    assert (await gate.vote(await gate.approval(run))).counted
    await gate.advance(run)
    assert await gate.state(run) == "done"
    assert len(gate.begun) == 1


async def test_two_failures_and_other_targets_and_reads_are_free(attack: Callable[..., Attack]) -> None:
    both = Calls(("look", "lab.look", {}), ("do", "lab.append", {"name": "web"}))
    gate = attack(policy=FREE, planners=both.named())
    await fail(gate, 2)
    free = await gate.submit("append", {"name": "web"})
    await gate.advance(free)
    assert await gate.state(free) == "done"
    await fail(gate, 1)
    other = await gate.submit("append", {"name": "db"})
    await gate.advance(other)
    assert await gate.state(other) == "done"
    run = await gate.submit("", planner="calls")
    await gate.advance(run)
    assert await gate.state(run, "look") == "done"
    assert (await gate.approval(run, "do")).state is ApprovalState.PENDING


async def test_what_did_not_help_counts_like_what_failed(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE, budgets={"failures": 1})
    first = await gate.submit("checked", {"name": "web"})
    await gate.work()
    assert (row := await gate.row(first))
    assert row.verified is False
    run = await gate.submit("append", {"name": "web"})
    await gate.advance(run)
    assert [" did not help at " in line for line in await history(gate, run)] == [True]


async def test_what_was_refused_before_it_began_has_failed_nothing(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE, budgets={"failures": 1, "change": 0})
    await fail(gate, 3, action="append")
    after = attack(policy=FREE, budgets={"failures": 1})
    run = await after.submit("append", {"name": "web"})
    await after.advance(run)
    assert await after.state(run) == "done"


async def test_failures_are_forgotten_after_their_time_and_not_by_a_restart(attack: Callable[..., Attack]) -> None:
    await fail(attack(policy=FREE), 3)
    restarted = attack(policy=FREE)
    held = await restarted.submit("append", {"name": "web"})
    await restarted.advance(held)
    assert await restarted.state(held) is None
    await restarted.sql("UPDATE effect SET finished_at = finished_at - :hour", hour=HOUR)
    run = await restarted.submit("append", {"name": "web"})
    await restarted.advance(run)
    assert await restarted.state(run) == "done"


async def test_an_approval_that_does_not_show_the_last_failure_is_void(attack: Callable[..., Attack]) -> None:
    free = attack(policy=FREE, budgets={"failures": 1})
    asked = attack(budgets={"failures": 1})
    old = await asked.approved("append")
    await fail(free, 1)
    await asked.advance(old.run)
    assert asked.begun == []
    assert (await asked.load(old.id)).state is ApprovalState.VOID
    assert len(await history(asked, old.run)) == 1
    assert (await asked.vote(await asked.approval(old.run), BOB)).counted
    await asked.advance(old.run)
    assert len(asked.begun) == 1


async def test_a_failure_that_comes_after_the_judgement_still_stops_the_change(attack: Callable[..., Attack]) -> None:
    other = attack(policy=FREE, budgets={"failures": 1})
    gate = attack(policy=FREE, budgets={"failures": 1})
    authorise = gate.app.gate._authorise
    judged = []

    async def slowly(*given: Any) -> Any:
        judged.append(given)
        await fail(other, 1)
        return await authorise(*given)

    gate.app.gate._authorise = slowly  # type: ignore[method-assign]
    run = await gate.submit("append", {"name": "web"})
    await gate.advance(run)
    assert len(judged) == 1
    assert gate.begun == []
    assert len(await history(gate, run)) == 1


async def test_replicas_at_once_never_begin_more_than_the_failures_allow(attack: Callable[..., Attack]) -> None:
    class Failing(Lab):
        begun = 0

    lab = Failing()
    desks = [attack(policy=FREE, lab=lab) for _ in range(1 if attack().app.store.embedded else 3)]
    tried = 0
    for _ in range(size(60, 6)):
        wanted = [await desks[0].submit("refuse", {"name": "web"}) for _ in desks * 2]
        await asyncio.gather(*(desks[n % len(desks)].advance(run) for n, run in enumerate(wanted)))
        rows = [await desks[0].row(run) for run in wanted]
        tried += sum(row is not None for row in rows)
    found = await desks[0].app.store.read(lambda conn: targets.failed(conn, "thing:web", "production", 0))
    assert tried == len(found) == 3


async def test_each_change_after_that_needs_its_own_approval(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE, budgets={"failures": 2})
    await fail(gate, 2)
    run = await gate.submit("refuse", {"name": "web"}, by=ANN)
    await gate.advance(run)
    assert (await gate.vote(await gate.approval(run))).counted
    await gate.advance(run)
    assert await gate.state(run) == "failed"
    again = await gate.submit("append", {"name": "web"})
    await gate.advance(again)
    assert (await gate.approval(again)).state is ApprovalState.PENDING
    assert len(await history(gate, again)) == 3


async def test_where_nobody_could_approve_it_is_refused_and_the_refusal_says_why(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE, budgets={"failures": 1}, people=dict)
    await fail(gate, 1)
    run = await gate.submit("append", {"name": "web"})
    await gate.advance(run)
    assert gate.begun == []
    assert "1 change of thing:web failed or did not help in the last 60 minutes" in await gate.told(run)
