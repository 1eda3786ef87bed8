"""A run that kills its process again and again is given up in the end, and takes nobody else with it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

import bench
from sysop.api import Action, Context, Reconciled, Risk, action, hookimpl
from sysop.app import App
from sysop.extension import Toolbox
from sysop.model import Actor, Conclusion, Origin, Request, Run, RunState
from sysop.store import runs
from sysop.store import tables as t

ANN = Actor("person:ann", frozenset({"approver"}), human=True)


class Bomb:
    """Dies before it has done anything."""

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        os._exit(9)


class Harmless:
    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        await toolbox.call("look", "lab.look", {})
        return Conclusion("fine", resolved=True)


async def _never_there(ctx: Context, args: Any) -> Reconciled:
    return Reconciled("not_done", "nothing is there")


@action(risk=Risk.CHANGE, reconcile=_never_there, timeout=timedelta(milliseconds=20))
async def pull(ctx: Context) -> str:
    """Kill the process that does it, every time."""
    os._exit(9)


class Grenade:
    """A plugin whose one effect kills its process, and which says afterwards that nothing happened."""

    @hookimpl
    def register_actions(self) -> Iterable[Action]:
        return [pull]


FREE = {"rules": [{"name": "free", "match": {"risk": ["change"]}, "then": "allow"}]}


def _open(folder: Path, url: str) -> App:
    planners = {"bomb": Bomb, "harmless": Harmless}
    return bench.build(folder, url, planners=planners, plugins={"grenade": Grenade()}, policy=FREE)


def _live(folder: Path, url: str) -> None:
    asyncio.run(_until_over(folder, url))


async def _until_over(folder: Path, url: str) -> None:
    app = _open(folder, url)
    await app.begin()
    try:
        async with asyncio.timeout(30):
            while await app.store.read(lambda conn: [r for r in runs.newest(conn) if r.finished_at is None]):
                # the wait between two crashes is as long as it must be; nobody here wants to sit through it
                await app.store.write(
                    lambda tx: tx.conn.execute(
                        update(t.run).where(t.run.c.waiting_for == "restart").values(wake_at=tx.now())
                    )
                )
                await asyncio.sleep(0.02)
    finally:
        await app.end()
        await app.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", [{"planner": "bomb"}, {"action": "grenade.pull"}], ids=["planner", "effect"])
async def test_a_run_that_kills_every_process_is_given_up_and_others_are_done(
    url: str, tmp_path: Path, how: dict[str, Any]
) -> None:
    bench.upgrade(url)
    app = _open(tmp_path, url)
    wish = Request(ANN, Origin.ASKED, "test", "boom", **how)
    bomb = await app.service.submit(wish)
    other = await app.service.submit(Request(ANN, Origin.ASKED, "test", "fine", planner="harmless"))
    deaths = 0
    while True:
        life = multiprocessing.get_context("fork").Process(target=_live, args=(tmp_path, url))
        life.start()
        await asyncio.to_thread(life.join, 60)
        if life.exitcode == 0:
            break
        assert life.exitcode == 9
        deaths += 1
        assert deaths <= runs.CRASHES, "the run is tried for ever"
    assert deaths == runs.CRASHES
    ended = await app.store.read(lambda conn: runs.load(conn, bomb))
    assert ended.state is RunState.FAILED
    assert ended.conclusion is not None
    assert f"died {runs.CRASHES} times in a row" in ended.conclusion["summary"]
    assert (await app.store.read(lambda conn: runs.load(conn, other))).state is RunState.DONE
    await app.close()


async def test_of_runs_that_processes_died_over_one_is_taken_at_a_time(url: str, tmp_path: Path) -> None:
    bench.upgrade(url)
    app = bench.build(tmp_path, url, planners={"harmless": Harmless})
    suspects = [await app.service.submit(Request(ANN, Origin.ASKED, "test", n, planner="harmless")) for n in "ab"]
    clean = await app.service.submit(Request(ANN, Origin.ASKED, "test", "c", planner="harmless"))

    def crashed(state: RunState, lease_ms: int, which: list[str]) -> Any:
        values = {"attempt": runs.CRASHES - 1, "state": state}
        rows = update(t.run).where(t.run.c.id.in_(which))
        return lambda tx: tx.conn.execute(rows.values(lease_until=tx.now() + lease_ms, **values))

    async def due() -> set[str]:
        return set((await app.store.read(runs.due))[0])

    await app.store.write(crashed(RunState.QUEUED, 0, suspects))
    assert await due() == {clean, suspects[0]}
    await app.store.write(crashed(RunState.RUNNING, 60_000, suspects[:1]))
    assert await due() == {clean}, "a second suspect was taken beside a living one"
    await app.store.write(crashed(RunState.RUNNING, -1, suspects[:1]))
    assert await due() == {clean, suspects[0]}, "a holder that stands still blocks every suspect for ever"
    await app.close()
