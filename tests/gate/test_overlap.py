"""Two changes to one target never overlap: not until the first is verified, however the target is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from gate.kit import ANN, Attack, dies_at
from scale import size
from sysop.model import RunState
from sysop.store import targets

FREE: dict[str, Any] = {"rules": [{"name": "free", "match": {"risk": ["change"]}, "then": "allow"}]}
CHECKED = frozenset({"lab.checked"})


async def refused(gate: Attack, name: str = "web", action: str = "append") -> str:
    """Return why another change is refused."""
    run = await gate.submit(action, {"name": name})
    await gate.advance(run)
    assert await gate.row(run) is None
    return await gate.told(run)


async def test_a_target_is_held_until_its_change_is_verified(attack: Callable[..., Attack]) -> None:
    gate, other = attack(policy=FREE), attack(policy=FREE)
    first = await gate.submit("checked", {"name": "web"})
    await gate.advance(first)
    assert await gate.state(first) == "done"
    assert (await gate.run(first)).state is RunState.WAITING
    told = await refused(other)
    assert f"another change to thing:web is not finished (run {first}, call call: done, but not verified yet)" in told
    assert f"to free it before its post-check is over: sysop cancel {first}" in told
    (gate.folder / "healthy").touch()
    await gate.work()
    assert (await gate.run(first)).state is RunState.DONE
    after = await other.submit("append", {"name": "web"})
    await other.advance(after)
    assert await other.state(after) == "done"


async def test_a_change_that_was_not_confirmed_in_time_frees_its_target(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE)
    first = await gate.submit("checked", {"name": "web"})
    await gate.work()
    row = await gate.row(first)
    assert row is not None
    assert row.verified is False
    after = await gate.submit("append", {"name": "web"})
    await gate.advance(after)
    assert await gate.state(after) == "done"


async def test_a_run_that_is_cancelled_in_its_post_check_frees_its_target(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE)
    first = await gate.submit("checked", {"name": "web"})
    await gate.advance(first)
    assert "not verified yet" in await refused(gate)
    assert await gate.app.service.cancel(first, ANN) == "cancelled"
    after = await gate.submit("append", {"name": "web"})
    await gate.advance(after)
    assert await gate.state(after) == "done"


async def test_what_is_done_without_a_post_check_holds_nothing(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE)
    for _ in range(2):
        run = await gate.submit("append", {"name": "web"})
        await gate.advance(run)
        assert await gate.state(run) == "done"


async def test_a_target_written_otherwise_is_the_same_target(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE)
    first = await gate.submit("checked", {"name": "Web"})
    await gate.advance(first)
    for name in ("web", "WEB", "Web"):
        assert f"run {first}" in await refused(gate, name)
    other = await gate.submit("append", {"name": "webs"})
    await gate.advance(other)
    assert await gate.state(other) == "done"


async def test_letters_that_databases_do_not_fold_hold_their_own_target(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE)
    first = await gate.submit("checked", {"name": "Übung İ"})
    await gate.advance(first)
    assert f"run {first}" in await refused(gate, "Übung İ")


@pytest.mark.parametrize("moment", ["intent", "checked", "executing", "performed", "ended.done"])
async def test_a_process_that_dies_holds_its_target_until_somebody_has_taken_over(
    attack: Callable[..., Attack], moment: str
) -> None:
    run = await attack(policy=FREE, probe=dies_at(moment)).dying("checked", {"name": "web"})
    gate = attack(policy=FREE)
    before = len(gate.begun)
    assert f"run {run}" in await refused(gate, "WEB")
    assert len(gate.begun) == before
    (gate.folder / "healthy").touch()
    await gate.sql("UPDATE effect SET started_at = started_at - 60000")  # so that nothing can be under way any more
    await gate.work()
    assert (await gate.run(run)).state is RunState.DONE
    assert len(gate.begun) == len(set(gate.begun)) == 1
    now = await gate.app.store.now()
    held = await gate.app.store.read(lambda conn: targets.holding(conn, "thing:web", "production", CHECKED, now))
    assert held == []


async def test_processes_at_once_hold_a_target_one_at_a_time_through_the_post_check(
    attack: Callable[..., Attack],
) -> None:
    desks = [attack(policy=FREE) for _ in range(1 if attack().app.store.embedded else 3)]
    names = ("web", "Web", "WEB")
    wanted = [await desks[0].submit("checked", {"name": names[n % 3]}) for n in range(size(120, 12))]
    await asyncio.gather(*(desks[n % len(desks)].advance(run) for n, run in enumerate(wanted)))
    assert len(desks[0].begun) == 1
    live = [run for run in wanted if (await desks[0].run(run)).state is RunState.WAITING]
    assert len(live) == 1
