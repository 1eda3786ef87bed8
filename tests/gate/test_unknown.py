"""Doubtful endings: what may have happened is found out, or asked of a person, and never done again blindly."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import bench
from gate.kit import ANN, BOB, DAN, Attack, Calls, dies_at
from lab import Lab, lines
from sysop.errors import InvalidRequest, NotAllowed
from sysop.model import RunState
from sysop.sections import Person
from sysop.store import audit, effects, runs

FREE: dict[str, Any] = {"rules": [{"name": "free", "match": {"risk": ["change"]}, "then": "allow"}]}


class Breaking(Lab):
    """A target whose answer is lost: before the effect, or after it."""

    def __init__(self, how: str, error: BaseException | None = None) -> None:
        super().__init__()
        self.how, self.error = how, error or ConnectionResetError("connection reset")

    def act(self, ctx: Any, name: str) -> Any:
        if self.how != "before":
            super().act(ctx, name)
        raise self.error


class Deaf(Breaking):
    """A target that cannot even be asked."""

    async def find(self, ctx: Any, args: Any) -> Any:
        raise ConnectionError("nobody there; password=hunter2hunter2")


async def one(gate: Attack, action: str = "append", name: str = "x") -> str:
    run = await gate.submit(action, {"name": name})
    await gate.work()
    return run


async def test_an_effect_whose_answer_is_lost_is_done_when_the_target_says_so(attack: Callable[..., Attack]) -> None:
    gate = attack(lab=Breaking("after"), policy=FREE)
    run = await one(gate)
    row = await gate.row(run)
    assert row is not None
    assert (row.state, json.loads(row.result or "")["key"]) == ("done", f"{run}:call")
    assert len(gate.begun) == 1


async def test_an_effect_that_never_arrived_is_failed_but_only_after_its_request_has_surely_ended(
    attack: Callable[..., Attack],
) -> None:
    gate = attack(lab=Breaking("before"), policy=FREE)
    run = await gate.submit("append", {"name": "x"})
    await gate.advance(run)
    assert (await gate.run(run)).waiting_for == "settle:call"
    assert await gate.state(run) == "executing"
    await gate.work()
    row = await gate.row(run)
    assert row is not None
    assert row.state == "failed"
    assert row.error == "ConnectionResetError: connection reset; the target says: there is no such line"
    assert (row.finished_at or 0) - (row.started_at or 0) >= 1200
    assert gate.begun == []


async def test_a_request_that_arrives_late_is_not_taken_for_one_that_did_not(attack: Callable[..., Attack]) -> None:
    gate = attack(lab=Breaking("before"), policy=FREE)
    run = await gate.submit("append", {"name": "x"})
    await gate.advance(run)
    (gate.folder / "effects").write_text(f"{run}:call\n")
    await gate.work()
    assert await gate.state(run) == "done"


async def test_a_slow_answer_tells_of_the_time_it_was_asked_for(attack: Callable[..., Attack]) -> None:
    class Slow(Breaking):
        async def find(self, ctx: Any, args: Any) -> Any:
            told = await super().find(ctx, args)
            if told.state == "not_done":
                await asyncio.sleep(1.3)  # longer than the request may be under way, and meanwhile it arrives
                self.effects(ctx).write_text(f"{ctx.key}\n")
            return told

    gate = attack(lab=Slow("before"), policy=FREE)
    assert await gate.state(await one(gate)) == "done"


@pytest.mark.parametrize(("lab", "action"), [(Breaking("after"), "shout"), (Deaf("after"), "append")])
async def test_an_effect_nobody_can_tell_about_waits_for_a_person(
    attack: Callable[..., Attack], lab: Lab, action: str
) -> None:
    gate = attack(lab=lab, policy=FREE)
    run = await one(gate, action)
    assert (await gate.run(run)).waiting_for == "unknown:call"
    assert await gate.state(run) == "unknown"
    with pytest.raises(NotAllowed):
        await gate.app.service.resolve(run, "call", DAN, True, "I have no role")
    await gate.app.service.resolve(run, "call", BOB, True, "I looked")
    await gate.work()
    assert (await gate.run(run)).state is RunState.DONE
    assert await gate.state(run) == "done"
    assert len(gate.begun) == 1
    with pytest.raises(InvalidRequest):
        await gate.app.service.resolve(run, "call", BOB, False, "again")
    assert "effect.resolved" in await gate.kinds(run)


async def test_a_person_says_that_it_did_not_happen(attack: Callable[..., Attack]) -> None:
    gate = attack(lab=Breaking("before"), policy=FREE)
    run = await one(gate, "shout")
    await gate.app.service.resolve(run, "call", BOB, False, "nothing there")
    await gate.work()
    row = await gate.row(run)
    assert row is not None
    assert (row.state, row.error) == ("failed", "it did not happen, says bob: nothing there")
    assert gate.begun == []


async def test_a_person_who_answers_while_the_run_is_being_parked_is_heard(attack: Callable[..., Attack]) -> None:
    gate = attack(lab=Breaking("after"), policy=FREE)
    run = await gate.submit("shout", {"name": "x"})
    parked = gate.advance._park

    async def slowly(*given: Any) -> None:
        await gate.app.service.resolve(run, "call", BOB, True, "I looked")
        await parked(*given)

    gate.advance._park = slowly  # type: ignore[method-assign]
    await gate.advance(run)
    await gate.work()
    assert (await gate.run(run)).state is RunState.DONE


async def test_an_action_that_says_it_failed_is_failed_and_the_run_goes_on(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE)
    run = await one(gate, "refuse")
    row = await gate.row(run)
    assert row is not None
    assert (row.state, str(row.error).startswith("x is not possible")) == ("failed", True)
    assert (await gate.run(run)).state is RunState.DONE


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("answer", [None, "done", {"state": "done"}, Exception], ids=str)
async def test_a_target_that_talks_nonsense_cannot_tell(attack: Callable[..., Attack], answer: Any) -> None:
    class Mad(Breaking):
        async def find(self, ctx: Any, args: Any) -> Any:
            if answer is Exception:
                raise KeyError("x")
            return answer

    gate = attack(lab=Mad("after"), policy=FREE)
    run = await one(gate)
    assert await gate.state(run) == "unknown"


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "result", [object(), {"key": 1}, float("nan"), b"\xff", "deep"], ids=["object", "shape", "nan", "bytes", "deep"]
)
async def test_a_result_that_cannot_be_stored_is_a_note_since_the_effect_did_happen(
    attack: Callable[..., Attack], result: Any
) -> None:
    class Odd(Lab):
        def act(self, ctx: Any, name: str) -> Any:
            super().act(ctx, name)
            return result

    gate = attack(lab=Odd(), policy=FREE)
    run = await one(gate)
    row = await gate.row(run)
    assert row is not None
    assert row.state == "done"
    assert "not_stored" in json.loads(row.result or "")


async def test_a_post_check_is_asked_until_it_passes(attack: Callable[..., Attack]) -> None:
    gate = attack(policy=FREE)
    run = await gate.submit("checked", {"name": "x"})
    await gate.advance(run)
    assert (await gate.run(run)).waiting_for == "verify:call"
    (gate.folder / "healthy").touch()
    await gate.work()
    row = await gate.row(run)
    assert row is not None
    assert (row.verified, row.verification) == (True, "healthy")
    polls = await gate.app.store.read(lambda conn: effects.polls(conn, run, "call.verify-"))
    assert len(polls) >= 2
    assert len(gate.begun) == 1


@pytest.mark.parametrize("answer", ["pending", "nonsense", "raises"])
async def test_a_post_check_that_never_passes_has_failed_when_its_time_is_up(
    attack: Callable[..., Attack], answer: str
) -> None:
    class Sick(Lab):
        async def confirmed(self, ctx: Any, args: Any, result: object) -> Any:
            if answer == "raises":
                raise RuntimeError("no metrics")
            return await super().confirmed(ctx, args, result) if answer == "pending" else "healthy!"

    gate = attack(lab=Sick(), policy=FREE)
    run = await gate.submit("checked", {"name": "x"})
    await gate.advance(run)
    assert (await gate.run(run)).waiting_for == "verify:call"
    await gate.sql("UPDATE effect SET finished_at = finished_at - 3000 WHERE call = 'call'")
    await gate.work()
    row = await gate.row(run)
    assert row is not None
    assert row.verified is False
    assert str(row.verification).startswith("not confirmed within 2 s")
    assert row.state == "done"


async def test_a_cancelled_run_stops_where_it_waits(gate: Attack) -> None:
    asked = await gate.ask("append")
    with pytest.raises(NotAllowed):
        await gate.app.service.cancel(asked.run, DAN)
    assert await gate.app.service.cancel(asked.run, ANN, "never mind") == "cancelled"
    assert (await gate.load(asked.id)).state == "void"
    assert not (await gate.vote(asked)).counted
    await gate.work()
    assert gate.begun == []


async def test_a_cancelled_run_stops_at_its_next_step_and_never_midway(attack: Callable[..., Attack]) -> None:
    two = Calls(("one", "lab.append", {"name": "a"}), ("two", "lab.append", {"name": "b"}))
    gate = attack(policy=FREE, planners=two.named())
    run = await gate.submit("", planner="calls")
    first = gate.app.gate.execute

    async def cancelling(*given: Any) -> Any:
        outcome = await first(*given)
        assert await gate.app.service.cancel(run, ANN) == "stopping"
        return outcome

    gate.app.gate.execute = cancelling  # type: ignore[method-assign]
    await gate.advance(run)
    assert (await gate.run(run)).state is RunState.CANCELLED
    assert gate.begun == [f"{run}:one"]
    assert await gate.state(run, "one") == "done"


async def test_a_cancel_during_the_effect_keeps_its_outcome(attack: Callable[..., Attack]) -> None:
    points: list[str] = []
    gate = attack(policy=FREE, probe=points.append)
    run = await gate.submit("append", {"name": "x"})
    work = asyncio.create_task(gate.advance(run))
    while "executing" not in points:
        await asyncio.sleep(0)
    try:
        said = await gate.app.service.cancel(run, ANN)
    except InvalidRequest:  # it ended before
        said = "too late"
    await work
    assert await gate.state(run) == "done"
    assert said in ("stopping", "too late", "cancelled")
    assert len(gate.begun) == 1


@pytest.mark.parametrize("point", ["intent", "checked", "executing", "performed", "ended.done"])
async def test_a_process_that_dies_anywhere_leaves_one_effect(attack: Callable[..., Attack], point: str) -> None:
    run = await attack(policy=FREE, probe=dies_at(point)).dying("append", {"name": "x"})
    after = attack(policy=FREE)
    await after.work()
    assert await after.state(run) == "done"
    assert len(after.begun) == 1
    assert (await after.app.store.read(audit.verify)).ok


STALE: dict[str, str] = {
    "its time ran out": "UPDATE approval SET execute_by = 1",
    "somebody joined": """UPDATE run SET requesters = '["person:ann", "person:cat"]'""",
    "the approver joined": """UPDATE run SET requesters = '["person:ann", "person:bob"]'""",
    "the vote is gone": "DELETE FROM vote",
}


@pytest.mark.parametrize("why", STALE)
async def test_an_intent_that_outlived_its_authority_runs_nothing(attack: Callable[..., Attack], why: str) -> None:
    gate = attack(probe=dies_at("intent"))
    given = await gate.approved("append")
    await gate.die(given.run)
    await gate.sql(STALE[why])
    after = attack()
    await after.work()
    row = await after.row(given.run)
    assert row is not None
    assert row.state == "failed"
    assert str(row.error).endswith("nothing was run")
    assert after.begun == []


@pytest.mark.parametrize("then", ["forbid", "approve"])
async def test_an_intent_that_the_policy_no_longer_allows_runs_nothing(
    attack: Callable[..., Attack], then: str
) -> None:
    run = await attack(policy=FREE, probe=dies_at("intent")).dying("append", {"name": "x"})
    after = attack(policy={"rules": [{"name": "now", "match": {"risk": ["change"]}, "then": then}]})
    await after.work()
    assert await after.state(run) == "failed"
    assert after.begun == []


async def test_a_role_taken_away_before_the_effect_counts(attack: Callable[..., Attack]) -> None:
    gate = attack(probe=dies_at("intent"))
    given = await gate.approved("append")
    await gate.die(given.run)
    after = attack(people=lambda: {**bench.PEOPLE, "bob": Person()})
    await after.work()
    assert await after.state(given.run) == "failed"
    assert after.begun == []


# -- a worker that is stopped, and wakes up when its run has long gone on elsewhere ------------------------------------

LEASE_MS = 600


def _stale_worker(folder: Path, url: str, where: str) -> None:
    def probe(point: str) -> None:
        if point == where:
            (folder / "about").write_text(str(os.getpid()))
            time.sleep(0.5)  # the parent stops this process here

    async def live() -> None:
        runs.LEASE_MS = LEASE_MS
        gate = Attack(folder, url, policy=FREE, probe=probe)
        await gate.app.begin()
        while not (folder / "enough").exists():
            await asyncio.sleep(0.05)
        await gate.app.end()
        await gate.close()

    asyncio.run(live())


@pytest.mark.parametrize("where", ["claimed", "checked", "ended.done"])
async def test_a_stopped_worker_that_wakes_up_writes_nothing_more(
    url: str, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if url.startswith("sqlite"):
        return  # one runner at a time, by the lock file
    monkeypatch.setattr(runs, "LEASE_MS", LEASE_MS)
    gate = Attack(tmp_path, url, policy=FREE)
    run = await gate.submit("append", {"name": "x"})
    child = multiprocessing.get_context("fork").Process(target=_stale_worker, args=(tmp_path, url, where))
    child.start()
    try:
        while not (tmp_path / "about").exists():
            await asyncio.sleep(0.01)
        os.kill(child.pid or 0, signal.SIGSTOP)
        async with asyncio.timeout(20):
            while (await gate.run(run)).state is not RunState.DONE:
                await gate.work()
                await asyncio.sleep(0.05)
        kinds = await gate.kinds(run)
        os.kill(child.pid or 0, signal.SIGCONT)
        await asyncio.sleep(1.0)
        (tmp_path / "enough").touch()
        await asyncio.to_thread(child.join, 30)
        assert child.exitcode == 0
        assert await gate.kinds(run) == kinds, "the stopped worker wrote after it had lost the run"
        assert len(lines(tmp_path / "effects")) == 1
    finally:
        if child.is_alive():
            child.kill()
        await gate.close()


async def test_an_action_that_takes_longer_than_the_lease_keeps_its_run(
    attack: Callable[..., Attack], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "LEASE_MS", 1500)
    waits = [4.0]

    class Slow(Lab):
        async def level(self, ctx: Any, args: Any) -> str:
            await asyncio.sleep(waits.pop() if waits else 0)
            return "0"

    first, second = attack(lab=Slow(), policy=FREE), attack(lab=Slow(), policy=FREE)
    run = await first.submit("guarded", {"name": "x"})
    work = asyncio.create_task(first.advance(run))
    while not work.done():
        ids, _ = await second.app.store.read(runs.due)
        for due in ids:
            if (await second.run(due)).state is not RunState.QUEUED:
                await second.advance(due)
        await asyncio.sleep(0.02)
    await work
    found = await first.run(run)
    assert not waits
    assert (found.state, found.fence) == (RunState.DONE, 1), "another worker took the run while it was alive"
