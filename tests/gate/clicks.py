"""Clicks from many processes on the same approvals, honest and hostile, while runners execute and somebody pauses.

Run by itself: python tests/gate/clicks.py --clicks 12800 --processes 8
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import select, text, update

import bench
import postgres
from gate.kit import ANN, BOB, CAT, DAN, Attack
from lab import lines
from sysop.model import Actor, ApprovalState
from sysop.store import approvals, audit
from sysop.store import tables as t
from sysop.store.store import Store

BOT = Actor("service:bot", frozenset({"approver"}))
STRANGER = Actor("os:4711", human=True)
IMPOSTOR = Actor("person:zoe", frozenset({"approver"}), human=True)  # says so, but is not in the settings
CLICKS_EACH = 40


@dataclass(frozen=True)
class Click:
    approval: str
    by: Actor
    approve: bool
    digest: str | None
    delivery: str


@dataclass(frozen=True)
class Tally:
    """All but the first four must be zero."""

    clicks: int
    approvals: int
    executed: int
    replays: int
    double: int
    without_approval: int
    by_requester: int
    below_quorum: int
    against_a_no: int
    expired: int
    after_pause: int
    replays_counted: int
    stuck: int
    chain_problem: str | None
    seconds: float

    @property
    def broken(self) -> dict[str, Any]:
        zeros = list(self.__dataclass_fields__)[4:-1]
        return {name: value for name in zeros if (value := getattr(self, name))}

    def __str__(self) -> str:
        found = ", ".join(f"{getattr(self, name)} {name.replace('_', ' ')}" for name in list(vars(self))[4:-2])
        return (
            f"{self.clicks} clicks ({self.replays} replays) on {self.approvals} approvals, {self.executed} executed: "
            f"{found}; chain {self.chain_problem or 'verified'}; {self.seconds:.0f} s"
        )


def run_clicks(folder: Path, url: str, clicks: int, processes: int, runners: int, seed: int = 1) -> Tally:
    """Ask, click from `processes` processes while `runners` execute, pause and resume, and count what is left."""
    began = time.monotonic()
    plan = asyncio.run(_prepare(folder, url, clicks, random.Random(seed)))
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    workers = [context.Process(target=_runner, args=(folder, url, stop), daemon=True) for _ in range(runners)]
    clickers = [
        context.Process(target=_clicker, args=(folder, url, plan[n::processes], n == 0)) for n in range(processes)
    ]
    for process in (*workers, *clickers):
        process.start()
    for process in clickers:
        process.join(600)
        assert process.exitcode == 0, f"a clicking process ended with {process.exitcode}"
    asyncio.run(_resume(folder, url))
    stop.set()
    for process in workers:
        process.join(60)
        assert process.exitcode == 0, f"a runner ended with {process.exitcode}"
    return asyncio.run(_count(folder, url, plan, time.monotonic() - began))


def _open(folder: Path, url: str) -> Attack:
    return Attack(folder, url, store=Store.open(url, pool_size=3))


async def _prepare(folder: Path, url: str, clicks: int, dice: random.Random) -> list[Click]:
    """Ask for approvals of one and of two people, some of them over in a moment, and plan every click."""
    bench.upgrade(url)
    desk = _open(folder, url)
    plan: list[Click] = []
    for number in range(max(4, clicks // CLICKS_EACH)):
        asked = await desk.ask("wipe" if number % 3 == 0 else "append", {"name": f"t{number}"})
        now = await desk.app.store.now()
        soon: dict[str, int] = {}
        if number % 8 == 5:
            soon = {"approve_by": now - 1 if dice.random() < 0.5 else now + 1000}
        elif number % 8 == 6:
            soon = {"execute_within": dice.choice([0, 1, 20])}
        if soon:
            change = update(t.approval).where(t.approval.c.id == asked.id).values(**soon)
            await desk.app.store.write(lambda tx, change=change: tx.conn.execute(change) and None)
        plan.extend(_clicks_on(asked.id, asked.digest, number, dice))
    await desk.close()
    dice.shuffle(plan)
    return plan[:clicks] if len(plan) > clicks else plan


def _clicks_on(approval: str, digest: str, number: int, dice: random.Random) -> list[Click]:
    honest = [(BOB, True, digest), (CAT, True, None), (BOB, True, None), (CAT, True, digest)]
    hostile = [
        (ANN, True, digest),
        (DAN, True, digest),
        (BOT, True, digest),
        (STRANGER, True, digest),
        (IMPOSTOR, True, None),
        (CAT, True, "0" * 64),
        (BOB, True, digest[::-1]),
        (DAN, False, digest),
        (ANN, False, digest),
    ]
    if number % 4 == 3:
        honest.append((dice.choice([BOB, CAT]), False, digest))
    found: list[Click] = []
    for place in range(CLICKS_EACH):
        by, approve, seen = dice.choice(honest if dice.random() < 0.3 else hostile)
        again = found and dice.random() < 0.25
        delivery = dice.choice(found).delivery if again else f"{approval}/{place}"
        found.append(Click(approval, by, approve, seen, delivery))
    return found


def _clicker(folder: Path, url: str, plan: Sequence[Click], pauses: bool) -> None:
    asyncio.run(_click(folder, url, plan, pauses))


async def _click(folder: Path, url: str, plan: Sequence[Click], pauses: bool) -> None:
    desk = _open(folder, url)
    for start in range(0, len(plan), 16):
        if pauses and start <= len(plan) // 2 < start + 16:
            await desk.app.service.pause(DAN, "halfway")
        some = plan[start : start + 16]
        await asyncio.gather(
            *(desk.app.service.decide(c.approval, c.by, c.approve, delivery=c.delivery, digest=c.digest) for c in some)
        )
    await desk.close()


def _runner(folder: Path, url: str, stop: Any) -> None:
    asyncio.run(_run(folder, url, stop))


async def _run(folder: Path, url: str, stop: Any) -> None:
    desk = _open(folder, url)
    await desk.app.begin()
    while not stop.is_set():
        await asyncio.sleep(0.05)
    await desk.app.end()
    await desk.close()


async def _resume(folder: Path, url: str) -> None:
    """Let effects go on, and wait until nothing approved is left over."""
    desk = _open(folder, url)
    await desk.app.service.resume(BOB, "go on")
    busy = text("SELECT count(*) FROM run WHERE state IN ('queued', 'running') OR waiting_for NOT LIKE 'approval:%'")
    for _ in range(600):
        if not await desk.app.store.read(lambda conn: conn.scalar(busy)):
            break
        await asyncio.sleep(0.05)
    await desk.close()


async def _count(folder: Path, url: str, plan: Sequence[Click], seconds: float) -> Tally:
    desk = _open(folder, url)
    read = desk.app.store.read
    every = {a.id: a for a in await read(lambda conn: approvals.listed(conn, pending_only=False, limit=1_000_000))}
    rows = (await read(lambda conn: conn.execute(select(t.effect).where(t.effect.c.risk != "read")).all())) or []
    entries = await read(lambda conn: audit.entries(conn, limit=10_000_000))
    verified = await read(audit.verify)
    await desk.close()
    begun = Counter(lines(folder / "effects"))
    bodies = [(entry, json.loads(entry.body)) for entry in entries]
    votes = [body for entry, body in bodies if entry.kind == "approval.voted"]
    approved_at = {entry.chain.partition(":")[2]: entry.ts for entry, _ in bodies if entry.kind == "approval.approved"}
    ran = [row for row in rows if begun[row.idem_key]]
    mine = {row.idem_key: every.get(row.approval) for row in ran}
    paused = next(entry.id for entry in entries if entry.kind == "mode.paused")
    resumed = next(entry.id for entry in entries if entry.kind == "mode.resumed")
    people = {BOB.id, CAT.id}

    def late(row: Any) -> bool:
        given = mine[row.idem_key]
        return given is not None and (
            row.started_at >= (given.execute_by or 0) or approved_at.get(given.id, 0) >= given.approve_by
        )

    return Tally(
        clicks=len(plan),
        approvals=len(every),
        executed=len(begun),
        replays=len(plan) - len({click.delivery for click in plan}),
        double=sum(1 for count in begun.values() if count > 1),
        without_approval=len(set(begun) - {k for k, a in mine.items() if a and a.state is ApprovalState.CONSUMED}),
        by_requester=sum(1 for vote in votes if vote["counted"] and vote["actor"] not in people),
        below_quorum=sum(
            1 for a in mine.values() if a and len({v.approver for v in a.votes if v.approve} & people) < a.count
        ),
        against_a_no=sum(1 for a in mine.values() if a and any(not v.approve for v in a.votes)),
        expired=sum(1 for row in ran if late(row)),
        after_pause=sum(1 for e in entries if e.kind == "effect.executing" and paused < e.id < resumed),
        replays_counted=len(votes) - len({click.delivery for click in plan}),
        stuck=sum(1 for a in every.values() if a.state is ApprovalState.APPROVED),
        chain_problem=verified.problem,
        seconds=seconds,
    )


def main() -> None:
    """Print one line for each database."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clicks", type=int, default=12_800)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for engine in ("sqlite", "postgres"):
        folder = Path(tempfile.mkdtemp(prefix="sysop-clicks-"))
        try:
            if engine == "sqlite":
                url = f"sqlite:///{folder / 'sysop.db'}"
                tally = run_clicks(folder, url, given.clicks, given.processes, 1, given.seed)
            else:
                with postgres.server() as server:
                    url = postgres.fresh_database(server, "clicks")
                    tally = run_clicks(folder, url, given.clicks, given.processes, 2, given.seed)
            print(f"{engine}: {tally}", flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
