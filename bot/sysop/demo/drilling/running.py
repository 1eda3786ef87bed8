"""Carries out one drill: an own company, an own Sysop, a person who decides by script, and a look at how it ends."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

from sysop.demo.drilling import record, sight
from sysop.demo.drilling.folder import Drill, filled
from sysop.demo.drilling.oracle import Watch
from sysop.demo.drilling.record import Change
from sysop.demo.drilling.scene import LOOK_S, Scene, Set, Tell
from sysop.demo.drilling.sight import Ledger, Seen
from sysop.demo.drilling.timeline import Timeline, before
from sysop.demo.drilling.verdict import Facts, Judged, Verdict, judge
from sysop.demo.setup import APPROVER
from sysop.errors import SysopError
from sysop.model import Actor

PATIENCE_S = 20.0
"""So long the company may go on being unwell after Sysop has ended its work."""


@dataclass(frozen=True)
class Row:
    """How a drill ended. `changes` are Sysop's, by the company's own record; `control` names a control, "" for none."""

    drill: Drill
    control: str
    judged: Judged
    did: tuple[str, ...] = ()
    seconds: float = 0.0
    approvals: int = 0
    incidents: int = 0
    changes: tuple[Change, ...] = ()
    needless: tuple[Change, ...] = ()
    unapproved: tuple[Change, ...] = ()
    folder: str = ""


async def run(drill: Drill, place: Set, tell: Tell) -> Row:
    """Carry out a drill in an empty folder. What cannot be carried out is a wrong row that says why."""
    try:
        async with place.up(drill, tell) as scene:
            found = await _Round(drill, scene, tell).until_over()
            return await _row(drill, place, scene, found)
    except SysopError as failed:
        judged = Judged(Verdict.WRONG, f"not carried out: {failed}")
        return Row(drill, place.control, judged, folder=str(place.folder))


@dataclass(frozen=True)
class _Found:
    """What the engine knows at the end."""

    seen: Seen
    wrong: tuple[str, ...]
    seconds: float
    timeline: Timeline
    changes_before: int
    filled: Drill


class _Round:
    """From the first fault to the end."""

    def __init__(self, drill: Drill, scene: Scene, tell: Tell) -> None:
        known = before(drill.about.faults, scene.start)
        self._drill = replace(drill, truth=filled(drill.truth, known), oracle=filled(drill.oracle, known))
        self._scene = scene
        self._app = scene.app
        self._watch = Watch(self._drill.oracle, scene.start)
        self._changes_before = len(record.read(scene.start))
        self._tell = tell
        self._idle, self._unwell = _Since(), _Since()

    async def until_over(self) -> _Found:
        """Follow until the verdict cannot change any more, or the time is over. Raises CompanyFailed, DrillError."""
        began = time.monotonic()
        timeline = Timeline(self._scene.business, self._scene.crew, self._drill.orders)
        playing = asyncio.create_task(timeline.play())
        try:
            while True:
                self._watch.look(await self._scene.business.status(), time.monotonic())
                seen = await self._app.store.read(sight.look)
                await self._decide(seen)
                self._tell(_phase(seen, playing.done()))
                if playing.done():
                    playing.result()
                late = time.monotonic() - began > self._drill.about.deadline
                if late or (playing.done() and self._over(seen)):
                    break
                await asyncio.sleep(LOOK_S)
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
        now = time.monotonic()
        wrong = () if self._watch.steady(now) else self._watch.wrong or ("it was not steady for long enough",)
        return _Found(seen, wrong, now - began, timeline, self._changes_before, self._drill)

    async def _decide(self, seen: Seen) -> None:
        yes = self._drill.about.person == "approves"
        actor = Actor(f"person:{APPROVER}", self._app.people.roles_of(f"person:{APPROVER}"), human=True)
        for approval in seen.pending:
            await self._app.service.decide(
                approval.id, actor, yes, "decided in advance", delivery=f"person:{approval.id}", digest=approval.digest
            )

    def _over(self, seen: Seen) -> bool:
        """Say whether nothing more can come: all is well, or nobody works on it and it has stayed so."""
        now = time.monotonic()
        idle = self._idle.long(seen.idle, now)
        unwell = self._unwell.long(seen.idle and bool(self._watch.wrong), now)
        if seen.idle and not seen.unresolved and self._watch.steady(now):
            return True
        ends = seen.ended
        nothing = self._drill.truth.answer == "nothing"
        given_up = any(run.handed_over or not (run.resolved or nothing) for run in ends)
        return unwell >= PATIENCE_S or (given_up and idle >= self._drill.oracle.steady)


class _Since:
    """Says for how long something has been so without a break, in seconds."""

    def __init__(self) -> None:
        self._since: float | None = None

    def long(self, so: bool, now: float) -> float:
        """Take in whether it is so now; -1 where it is not."""
        self._since = (now if self._since is None else self._since) if so else None
        return -1.0 if self._since is None else now - self._since


def _phase(seen: Seen, played: bool) -> str:
    if not seen.incidents:
        return "waiting for the alerts" if played else "something goes wrong"
    if not seen.idle:
        return seen.said or "investigating"
    return "looking whether it stays so"


async def _row(drill: Drill, place: Set, scene: Scene, found: _Found) -> Row:
    ledger = await scene.app.store.read(sight.ledger)
    since = record.read(await scene.business.status())[found.changes_before :]
    changes = record.foreign(since, found.timeline.ordered)
    needless = record.needless(changes, found.filled.truth.changes)
    unapproved = record.unapproved(changes, ledger.changes)
    seen = found.seen
    facts = Facts(
        answer=drill.truth.answer,
        wrong=found.wrong,
        incidents=len(seen.incidents),
        unresolved=seen.unresolved,
        runs=seen.ended,
        needless=needless,
        unapproved=unapproved,
    )
    return Row(
        drill=drill,
        control=place.control,
        judged=judge(facts),
        did=_did(ledger, seen),
        seconds=round(found.seconds, 1),
        approvals=len(ledger.asked),
        incidents=len(seen.incidents),
        changes=tuple(changes),
        needless=tuple(needless),
        unapproved=tuple(unapproved),
        folder=str(place.folder),
    )


def _did(ledger: Ledger, seen: Seen) -> tuple[str, ...]:
    ends = [("resolved" if run.resolved else "handed over" if run.handed_over else "") for run in seen.ended]
    return (*ledger.told, *dict.fromkeys(end for end in ends if end))
