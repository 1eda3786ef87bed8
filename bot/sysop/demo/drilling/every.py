"""Carries out many drills, some at a time, each in a folder of its own whose name tells nothing of the drill."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from sysop.demo.drilling import running
from sysop.demo.drilling.folder import Drill
from sysop.demo.drilling.running import Row
from sysop.demo.drilling.scene import Set
from sysop.paths import private_folder


@dataclass(frozen=True, eq=False)
class Job:
    """A drill with the planner that works on it: a control by its name, "" for the runbook planner.

    Equal to none but itself, so that what it is doing can be kept by it.
    """

    drill: Drill
    control: str = ""


class Audience(Protocol):
    """Who watches."""

    def phase(self, job: Job, text: str) -> None:
        """Show what a job is doing now."""
        ...

    def ended(self, job: Job, row: Row) -> None:
        """Show how a job ended."""
        ...


@dataclass(frozen=True)
class Means:
    """How jobs are carried out: below which folder, how many at once, with Buildbot from which environment.

    The folders of wrong ones are kept; `keep` keeps every one.
    """

    root: Path
    at_once: int
    keep: bool = False
    buildbot: Path | None = None


async def every(jobs: Sequence[Job], means: Means, audience: Audience) -> list[Row]:
    """Carry out jobs and return their rows in the same order."""
    place = _place(means.root)
    free = asyncio.Semaphore(means.at_once)

    async def one(number: int, job: Job) -> Row:
        async with free:
            folder = place / f"{number:02}"
            row = await running.run(job.drill, Set(folder, job.control, means.buildbot), partial(audience.phase, job))
            if not means.keep and (row.judged.right or job.control):
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                row = replace(row, folder="")
            audience.ended(job, row)
            return row

    tasks = [asyncio.create_task(one(number, job)) for number, job in enumerate(jobs, 1)]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)  # each takes its company down
        _leave(place)


def _place(root: Path) -> Path:
    private_folder(root)
    return Path(tempfile.mkdtemp(prefix="", dir=root.absolute()))


def _leave(place: Path) -> None:
    with suppress(OSError):  # what was kept lies in it
        place.rmdir()
