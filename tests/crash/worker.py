"""One life of a Sysop process in the crash matrix: forked, told where to die, killed by SIGKILL there."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench
from lab import Lab, _append
from sysop.errors import ActionRefused
from sysop.extension import Toolbox
from sysop.model import AuditEntry, Conclusion, Run
from sysop.store import runs

FINAL = {"done", "failed", "cancelled"}


@dataclass(frozen=True)
class Life:
    """`die_at` counts probes: the process kills itself at that one."""

    folder: Path
    url: str
    change: str
    die_at: int | None
    wait_s: float = 20.0


class Script:
    """The planner of the matrix: two reads around two changes, one approved and one allowed."""

    def __init__(self, change: str) -> None:
        self._change = change

    async def plan(self, run: Run, incident: Mapping[str, Any] | None, toolbox: Toolbox) -> Conclusion:
        await toolbox.call("before", "lab.look", {"name": run.text})
        first = await toolbox.call("approved", f"lab.{self._change}", {"name": f"{run.text}-a"})
        try:
            await toolbox.call("allowed", f"lab.{self._change}", {"name": f"{run.text}-free"})
        except ActionRefused:
            return Conclusion("refused", resolved=False)
        await toolbox.call("after", "lab.look", {})
        return Conclusion("both are done", resolved=first.ok)


POLICY = {
    "rules": [{"name": "free", "match": {"target": ["thing:*-free"]}, "then": "allow"}],
}


class Fuse:
    """Dies at the n-th probe of this life."""

    def __init__(self, die_at: int | None) -> None:
        self._left = die_at

    def __call__(self, _point: str) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)


def live(life: Life) -> None:
    """Be the runner until every run has ended, or death."""
    asyncio.run(_live(life))


async def _live(life: Life) -> None:
    fuse = Fuse(life.die_at)
    app = bench.build(
        life.folder,
        life.url,
        lab=Lab(fuse),
        planners={"script": lambda: Script(life.change)},
        probe=fuse,
        policy=POLICY,
    )
    acknowledged = life.folder / "acknowledged"

    def note(entry: AuditEntry) -> None:
        _append(acknowledged, f"{entry.chain} {entry.seq} {entry.hash.hex()}")

    app.store.observe([note])
    await app.begin()
    try:
        async with asyncio.timeout(life.wait_s):
            while not await _all_over(app):
                await asyncio.sleep(0.02)
    finally:
        await app.end()
        await app.close()


async def _all_over(app: Any) -> bool:
    found = await app.store.read(lambda conn: runs.newest(conn, 1000))
    return all(run.state in FINAL or (run.waiting_for or "").startswith(("unknown:", "approval:")) for run in found)
