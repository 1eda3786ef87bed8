"""`sysop approve` from a second process while the runner commits at full load: how long a vote takes, when it acts."""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import common
from common import bench, lab

from sysop.errors import StoreUnavailable
from sysop.extension import Toolbox
from sysop.model import Actor, Conclusion, Origin, Request, Run
from sysop.store import approvals, audit, effects

VOTES = 200
BOB = Actor("person:bob", frozenset({"approver"}), human=True)
ANN = Actor("person:ann", frozenset({"approver"}), human=True)


class Wish:
    """Asks for one change."""

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        await toolbox.call("change", "lab.append", {"name": run.text})
        return Conclusion("done", resolved=True)


def serve(folder: Path, url: str, stop: Any) -> None:
    """Be the runner, and commit audit entries as fast as the database takes them."""
    asyncio.run(_serve(folder, url, stop))


async def _serve(folder: Path, url: str, stop: Any) -> None:
    app = bench.build(folder, url, planners={"wish": Wish})
    await app.begin()

    async def load(number: int) -> None:
        while not stop.is_set():
            await app.store.write(lambda tx: tx.audit(f"load{number}", "effect.done", "service:load", note="x" * 200))

    await asyncio.gather(*(load(number) for number in range(64)))
    await app.end()
    await app.close()


async def vote_all(folder: Path, url: str) -> tuple[list[float], list[float], int, int]:
    """Submit, vote, and measure: seconds a vote, seconds from the vote to `executing`, refused writes, load entries."""
    app = bench.build(folder, url, planners={"wish": Wish})
    took: list[float] = []
    voted: dict[str, int] = {}
    locked = 0
    for number in range(VOTES):
        request = Request(ANN, Origin.ASKED, "bench", f"v{number}", planner="wish")
        run = await app.service.submit(request)
        approval = await _pending(app, run)
        began = time.perf_counter()
        try:
            await app.service.decide(approval, BOB, True, delivery=approval)
        except StoreUnavailable:
            locked += 1
        took.append(time.perf_counter() - began)
        voted[run] = await app.store.now()
        await asyncio.sleep(0.02)
    acted = [await _started(app, run) - at for run, at in voted.items()]
    entries = await app.store.read(audit.count)
    await app.close()
    return took, [ms / 1000 for ms in acted], locked, entries


async def _pending(app: Any, run: str) -> str:
    while True:
        newest = await app.store.read(lambda conn: approvals.newest_for(conn, run, "change"))
        if newest is not None:
            return str(newest.id)
        await asyncio.sleep(0.01)


async def _started(app: Any, run: str) -> int:
    while True:
        row = await app.store.read(lambda conn: effects.find(conn, run, "change"))
        if row is not None and row.started_at is not None:
            return int(row.started_at)
        await asyncio.sleep(0.01)


def main() -> None:
    """Print one line."""
    with tempfile.TemporaryDirectory(prefix="sysop-bench-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'sysop.db'}"
        bench.upgrade(url)
        context = multiprocessing.get_context("fork")
        stop = context.Event()
        server = context.Process(target=serve, args=(folder, url, stop))
        server.start()
        began = time.perf_counter()
        took, acted, locked, entries = asyncio.run(vote_all(folder, url))
        seconds = time.perf_counter() - began
        stop.set()
        server.join(60)
        assert len(lab.lines(folder / "effects")) == VOTES
        print(
            f"sqlite: {VOTES} votes beside {entries / seconds:,.0f} commits/s of the runner: "
            f"p50 {common.percentile(took, 0.5) * 1000:.0f} ms, p99 {common.percentile(took, 0.99) * 1000:.0f} ms, "
            f"{locked} refused; effect begins p50 {common.percentile(acted, 0.5) * 1000:.0f} ms, "
            f"max {max(acted) * 1000:.0f} ms after the vote"
        )


if __name__ == "__main__":
    main()
