"""Durable audit appends a second at 1, 16 and 256 in flight, medians of five; and what the gate costs a read."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from pathlib import Path

import common
from common import bench, lab

from sysop.model import Actor, Call, Origin, Request
from sysop.store import runs
from sysop.store.store import Store

NOTE = "x" * 120
RUNS = 5


async def appends(url: str, in_flight: int, seconds: float) -> float:
    """Return appends a second, each on a chain of its own client."""
    store = Store.open(url)
    done = itertools.count()
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        while time.perf_counter() < end:
            await store.write(lambda tx: tx.audit(f"c{number}", "effect.done", "service:gate", call="c1", note=NOTE))
            next(done)

    began = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(in_flight)))
    rate = next(done) / (time.perf_counter() - began)
    await store.close()
    return rate


async def reads(url: str, folder: Path, count: int) -> tuple[float, float]:
    """Return milliseconds a read call through the gate, and with the action's own code alone."""
    app = bench.build(folder, url)
    run_id = await app.service.submit(Request(Actor("person:ann"), Origin.ASKED, "bench", planner="direct", action="x"))
    run = await app.store.write(lambda tx: runs.claim(tx, run_id, "bench"))
    assert run is not None
    began = time.perf_counter()
    for number in range(count):
        await app.gate.execute(run, Call(f"c{number}", "lab.look", {"name": "x"}))
    gated = (time.perf_counter() - began) / count * 1000
    look = next(a for a in lab.LabPlugin().register_actions() if a.name == "look")
    context = app.contexts.for_call(app.host.actions["lab.look"], "r", "c", "k", "read", _no_reader)
    began = time.perf_counter()
    for _ in range(count):
        await look._perform(context, name="x")
    alone = (time.perf_counter() - began) / count * 1000
    await app.close()
    return gated, alone


async def _no_reader(action: str, args: object) -> None:
    raise AssertionError("this action reads nothing else")


def main() -> None:
    """Print one line each."""
    with common.databases("sqlite", "postgres") as found:
        for kind, url, folder in found:
            for in_flight in (1, 16, 256) if kind == "sqlite" else (16,):
                rates = [asyncio.run(appends(url, in_flight, 2.0)) for _ in range(RUNS)]
                print(f"{kind}: {statistics.median(rates):,.0f} durable appends/s at {in_flight} in flight", flush=True)
            costs = [asyncio.run(reads(url, folder, 300)) for _ in range(RUNS)]
            gated, alone = (statistics.median(values) for values in zip(*costs, strict=True))
            print(f"{kind}: a read through the gate {gated:.2f} ms, its own code {alone:.2f} ms", flush=True)


if __name__ == "__main__":
    main()
