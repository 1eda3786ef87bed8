"""The crash matrix: start, kill, restart, until every run has ended; then count from what is on disk.

Run by itself: python tests/crash/matrix.py --kills 500 [--url postgresql://…] [--change append|shout|blind]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import select

import bench
import postgres
from crash import worker
from lab import lines
from sysop.model import Actor, EffectState, Origin, Request
from sysop.store import approvals, audit, effects, runs
from sysop.store import tables as t

ANN = Actor("person:ann", frozenset({"approver"}), human=True)
BOB = Actor("person:bob", frozenset({"approver"}), human=True)
BATCH = 4  # runs in the air at a time


@dataclass(frozen=True)
class Tally:
    """What the matrix found. The three promises are the three zeros."""

    kills: int
    lives: int
    runs: int
    actions: int
    acknowledged: int
    lost: int
    duplicated: int
    unaudited: int
    unknown: int
    stuck: int
    chain_problem: str | None
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.kills} kills, {self.lives} lives, {self.runs} runs, {self.actions} actions, "
            f"{self.acknowledged} acknowledged entries: {self.lost} lost audit entries, "
            f"{self.duplicated} duplicated effects, {self.unaudited} unaudited effects; "
            f"{self.unknown} unknown, {self.stuck} stuck, chain {self.chain_problem or 'verified'}; "
            f"{self.seconds:.0f} s"
        )


def run_matrix(folder: Path, url: str, change: str, kills: int, seed: int = 1) -> Tally:
    """Kill a forked runner `kills` times at random probes and random moments, while votes come in."""
    dice, started = random.Random(seed), time.monotonic()
    bench.upgrade(url)
    killed = lives = 0
    while killed < kills:
        asyncio.run(_submit(folder, url, BATCH))
        while True:
            lives += 1
            last = killed >= kills
            die_at = None if last else dice.randint(1, 26)
            after = None if last or dice.random() > 0.15 else dice.uniform(0.01, 0.4)
            dead = _one_life(worker.Life(folder, url, change, die_at), after)
            killed += dead
            waiting, over = asyncio.run(_vote(folder, url))
            if over or (not dead and not waiting):
                break
    return asyncio.run(_count(folder, url, killed, lives, time.monotonic() - started))


def _one_life(life: worker.Life, kill_after: float | None) -> bool:
    """Fork a runner; return whether it was killed."""
    process = multiprocessing.get_context("fork").Process(target=worker.live, args=(life,))
    process.start()
    process.join(kill_after)
    if process.is_alive() and kill_after is not None:
        process.kill()
    process.join(60)
    if process.is_alive():
        process.kill()
        raise AssertionError("a life did not end within 60 s")
    if process.exitcode not in (0, -signal.SIGKILL):
        raise AssertionError(f"a life ended with exit code {process.exitcode}")
    return process.exitcode == -signal.SIGKILL


async def _submit(folder: Path, url: str, count: int) -> None:
    app = bench.build(folder, url, planners={"script": lambda: worker.Script("append")}, policy=worker.POLICY)
    have = len(await app.store.read(lambda conn: runs.newest(conn, 100_000)))
    for number in range(have, have + count):
        await app.service.submit(Request(ANN, Origin.ASKED, "test", f"r{number}", planner="script"))
    await app.close()


async def _vote(folder: Path, url: str) -> tuple[bool, bool]:
    """Approve what waits. Return whether anything waits still, and whether all runs are over."""
    app = bench.build(folder, url, policy=worker.POLICY)
    pending = await app.store.read(lambda conn: approvals.listed(conn, pending_only=True, limit=1000))
    for approval in pending:
        await app.service.decide(approval.id, BOB, True, delivery=f"vote {approval.id}", digest=approval.digest)
    all_runs = await app.store.read(lambda conn: runs.newest(conn, 100_000))
    open_runs = [r for r in all_runs if r.state not in worker.FINAL]
    over = all((r.waiting_for or "").startswith("unknown:") for r in open_runs)
    await app.close()
    return bool(open_runs) and not over, over


async def _count(folder: Path, url: str, kills: int, lives: int, seconds: float) -> Tally:
    app = bench.build(folder, url)
    verified = await app.store.read(audit.verify)
    stored = {
        f"{row.chain} {row.seq} {bytes(row.hash).hex()}"
        for row in await app.store.read(lambda conn: conn.execute(select(t.audit)).all())
    }
    begun = Counter(lines(folder / "effects"))
    executing = set()
    for entry in await app.store.read(lambda conn: audit.entries(conn, kind="effect.executing", limit=1_000_000)):
        executing.add(json.loads(entry.body)["key"])
    every_run = await app.store.read(lambda conn: runs.newest(conn, 100_000))
    rows = []
    for run in every_run:
        rows.extend(await app.store.read(lambda conn, run=run: effects.of_run(conn, run.id)))
    acknowledged = lines(folder / "acknowledged")
    unknown = [row for row in rows if row.state is EffectState.UNKNOWN]
    unfinished = {r.id for r in every_run if r.state not in worker.FINAL}
    await app.close()
    return Tally(
        kills=kills,
        lives=lives,
        runs=len(every_run),
        actions=sum(1 for row in rows if row.risk != "read"),
        acknowledged=len(acknowledged),
        lost=sum(1 for line in acknowledged if line not in stored),
        duplicated=sum(1 for count in begun.values() if count > 1),
        unaudited=sum(1 for key in begun if key not in executing),
        unknown=len(unknown),
        stuck=len(unfinished - {row.run for row in unknown}),
        chain_problem=verified.problem,
        seconds=seconds,
    )


def main() -> None:
    """Print one line for each kind of target."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--url", help="a PostgreSQL server; default: SQLite, then a server found or started")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for engine in ("sqlite", "postgres"):
        for change, size in (("append", given.kills), ("shout", given.kills), ("blind", max(40, given.kills * 2 // 5))):
            _main_one(engine, change, size, given.seed)


def _main_one(engine: str, change: str, kills: int, seed: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="sysop-crash-"))
    try:
        if engine == "sqlite":
            tally = run_matrix(folder, f"sqlite:///{folder / 'sysop.db'}", change, kills, seed)
        else:
            with postgres.server() as server:
                tally = run_matrix(folder, postgres.fresh_database(server, "crash"), change, kills, seed)
        kind = {"append": "can be asked", "shout": "cannot be asked", "blind": "control: blind retry"}[change]
        print(f"{engine}, target {kind}: {tally}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
